"""A chart of the delays, kept as a PNG that you can open."""

import io
from pathlib import Path

import polars as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from opgraph import IOManager, asset

CHARTS = Path(__file__).parent / "charts"


class PngFiles(IOManager):
    """Keeps an asset's bytes as charts/<asset>.png instead of in opgraph's own store."""

    versioned = False  # a new chart replaces the old one

    def _path(self, context) -> Path:
        return CHARTS.joinpath(*context.asset_key.path).with_suffix(".png")

    def handle_output(self, context, obj: bytes) -> None:
        path = self._path(context)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(obj)
        unfinished.replace(path)
        context.add_output_metadata({"path": str(path), "bytes": len(obj)})

    def load_input(self, context) -> bytes:
        return self._path(context).read_bytes()


@asset(group_name="delays", io_manager_key="png_files")
def delay_chart(delay_by_hour: pl.DataFrame, delay_by_wind: pl.DataFrame) -> bytes:
    """The share of late flights through the day, and with the wind."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    through_the_day, with_the_wind = figure.subplots(1, 2, sharey=True)
    through_the_day.bar(delay_by_hour["hour"].to_list(), delay_by_hour["late"].to_list())
    through_the_day.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    through_the_day.set_xticks(range(6, 24, 3))
    through_the_day.set(xlabel="hour of the planned departure", ylabel="flights 15 minutes late or more")
    with_the_wind.bar(delay_by_wind["wind_mph"].to_list(), delay_by_wind["late"].to_list(), width=4)
    with_the_wind.set(xlabel="wind (miles an hour)")
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    return picture.getvalue()
