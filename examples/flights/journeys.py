"""One table of the flights that were flown, with their plane, airline, destination and weather.

A graph asset is an asset whose value is computed by a graph of ops. Each op is a step of the run: timed, logged, and
stored when it ends, so that a run that fails goes on from there. Only what the graph returns is an asset.
"""

import os

import polars as pl

from opgraph import Failure, graph, graph_asset, op

COLUMNS = ["time_hour", "origin", "dest", "carrier", "tailnum", "dep_delay", "arr_delay", "distance"]


@op
def parse_hour(table: pl.DataFrame) -> pl.DataFrame:
    """Turn the text in `time_hour` into a time."""
    return table.with_columns(pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"))


@op
def drop_date_parts(table: pl.DataFrame) -> pl.DataFrame:
    """Leave out the columns that only repeat what `time_hour` says."""
    return table.drop("year", "month", "day", "hour", "minute", strict=False)


@graph
def tidy(table):
    """What every table with an hour needs. A graph can be used inside others, as often as you like."""
    return drop_date_parts(parse_hour(table))


@op
def drop_cancelled(context, flights: pl.DataFrame) -> pl.DataFrame:
    """Keep what is needed of the flights that left and arrived."""
    flown = flights.select(COLUMNS).drop_nulls(["dep_delay", "arr_delay"])
    context.log.info(f"{flights.height - flown.height:,} flights were cancelled or diverted")
    return flown


@op
def join_planes(flights: pl.DataFrame, planes: pl.DataFrame) -> pl.DataFrame:
    """Add what is known of the plane."""
    known = planes.select("tailnum", "manufacturer", "seats", built="year")
    return flights.join(known, on="tailnum", how="left")


@op
def check_planes(context, flights: pl.DataFrame) -> pl.DataFrame:
    """Stop when too many of the planes are not on the register: the joined columns would say little."""
    limit = float(os.environ.get("FLIGHTS_UNKNOWN_PLANES", "0.20"))
    unknown = flights["manufacturer"].null_count() / flights.height
    context.log.info(f"{unknown:.1%} of the flights have a plane that is not on the register")
    if unknown > limit:
        raise Failure(
            f"{unknown:.1%} of the flights have a plane that is not on the register; the limit is {limit:.1%}"
        )
    return flights


@op
def join_names(flights: pl.DataFrame, airlines: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """Add the names of the airline and of the destination."""
    carriers = airlines.rename({"name": "airline"})
    destinations = airports.select(dest="faa", destination="name")
    return flights.join(carriers, on="carrier", how="left").join(destinations, on="dest", how="left")


@op
def join_weather(flights: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """Add the weather of the hour in which the flight was to leave."""
    skies = weather.select("origin", "time_hour", "temp", "wind_speed", "precip", "visib")
    return flights.join(skies, on=["origin", "time_hour"], how="left")


@graph_asset(group_name="journeys")
def journeys(flights, weather, planes, airlines, airports):
    """Every flight that was flown, with what is known about it."""
    flown = drop_cancelled(tidy.alias("tidy_flights")(flights))
    with_planes = check_planes(join_planes(flown, planes))
    with_names = join_names(with_planes, airlines, airports)
    return join_weather(with_names, tidy.alias("tidy_weather")(weather))
