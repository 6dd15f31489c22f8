from pathlib import Path
from casparian_flow.sinks.parquet import ParquetSink
def absolute_uri(text, cwd): return text if text.startswith("parquet:///") else "parquet://"+str((Path(cwd)/text.removeprefix("parquet://")).resolve())
def open_sink(uri): return ParquetSink(uri, Path(uri.removeprefix("parquet://")))
