"""Three tables of delays from one shared op: a graph asset with several outputs, any of which can be asked for alone.

With `can_subset=True` exactly the ops that the selected assets need are run. An op that makes several of them reads
`context.selected_output_names` and makes only what is asked for; that is why its outputs are not required.
"""

import polars as pl

from opgraph import AssetOut, Out, Output, graph_multi_asset, op

LATE = 15  # minutes: the aviation authority's own measure


def summary(delays: pl.DataFrame, by: str) -> pl.DataFrame:
    """How many flights there were, how late they left, and how many of them were late, for each value of a column."""
    late = (pl.col("dep_delay") >= LATE).mean().round(3)
    return delays.group_by(by).agg(pl.len().alias("flights"), pl.col("dep_delay").mean().round(1), late.alias("late"))


@op
def measure_delays(journeys: pl.DataFrame) -> pl.DataFrame:
    """Keep what the three tables are made of, and find the hour of the day in New York."""
    hour = pl.col("time_hour").dt.convert_time_zone("America/New_York").dt.hour()
    return journeys.select("airline", "dep_delay", "wind_speed", hour=hour)


@op(out={"by_airline": Out(is_required=False), "by_hour": Out(is_required=False)})
def group_delays(context, delays: pl.DataFrame):
    """The delays of each airline, and of each hour of the day: whichever is asked for."""
    if "by_airline" in context.selected_output_names:
        yield Output(summary(delays, "airline").sort("late", descending=True), "by_airline")
    if "by_hour" in context.selected_output_names:
        yield Output(summary(delays, "hour").sort("hour"), "by_hour")


@op
def group_by_wind(delays: pl.DataFrame) -> pl.DataFrame:
    """The delays at each strength of the wind, in steps of 5 miles an hour."""
    wind = (pl.col("wind_speed") // 5 * 5).cast(pl.Int64).alias("wind_mph")
    return summary(delays.drop_nulls("wind_speed").with_columns(wind), "wind_mph").sort("wind_mph")


@graph_multi_asset(
    outs={
        "delay_by_airline": AssetOut(description="How late each airline was."),
        "delay_by_hour": AssetOut(description="How late flights were at each hour of the day."),
        "delay_by_wind": AssetOut(description="How late flights were at each strength of the wind."),
    },
    group_name="delays",
    can_subset=True,
)
def delay_tables(journeys):
    """The delays, from three sides."""
    delays = measure_delays(journeys)
    by_airline, by_hour = group_delays(delays)
    return {"delay_by_airline": by_airline, "delay_by_hour": by_hour, "delay_by_wind": group_by_wind(delays)}
