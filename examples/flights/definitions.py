"""The flights that left New York in 2013: which of them were late, and why.

flights, weather, planes, airlines, airports    plain assets: the raw tables (raw.py)
journeys                                        a graph asset: parsed, cleaned and joined by nine ops (journeys.py)
delay_by_airline, delay_by_hour, delay_by_wind  a graph multi-asset: three tables from one shared op (delays.py)
delay_chart                                     a PNG (chart.py)
"""

from chart import PngFiles, delay_chart
from delays import delay_tables
from journeys import journeys
from raw import airlines, airports, flights, planes, weather

from opgraph import Definitions

defs = Definitions(
    assets=[flights, weather, planes, airlines, airports, journeys, delay_tables, delay_chart],
    resources={"png_files": PngFiles()},
)
