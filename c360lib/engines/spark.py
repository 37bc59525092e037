"""Spark: a cluster, or a local one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from c360lib.engines.base import BATCH_ROWS, Engine, Frame, frame_of, import_engine


class Spark(Engine):
    """A cluster, or a local one: batches go through Parquet files, as they would through a lake."""

    is_cluster = True

    def __init__(self) -> None:
        sql = import_engine("pyspark.sql", "spark")
        self._files = Path(tempfile.mkdtemp(prefix="c360-spark-"))
        partitions = os.environ.get("C360_SPARK_PARTITIONS", "4")
        self._session = (
            sql.SparkSession.builder.master(os.environ.get("C360_SPARK_MASTER", "local[2]"))
            .appName("c360")
            .config("spark.sql.shuffle.partitions", partitions)
            .config("spark.default.parallelism", partitions)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.driver.memory", os.environ.get("C360_SPARK_MEMORY", "4g"))
            .config("spark.jars", splink_jar())
            .getOrCreate()
        )
        self._session.sparkContext.setLogLevel("ERROR")
        self._made = 0

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        self._made += 1
        path = self._files / f"{self._made}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return frame_of(self._session.read.parquet(str(path)))

    def materialise(self, frame: Frame) -> Frame:
        return frame_of(frame.to_native().localCheckpoint(eager=True))

    def table(self, frame: Frame) -> pa.Table:
        return frame.to_native().toArrow()

    def batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self.table(frame.sort(*key)).to_batches(max_chunksize=BATCH_ROWS)

    def close(self) -> None:
        shutil.rmtree(self._files, ignore_errors=True)


def splink_jar() -> str:
    """The file with Splink's functions for Spark; "" where Splink is not installed."""
    found = importlib.util.find_spec("splink")
    folder = Path(found.origin or "").parent / "internals" / "files" / "spark_jars" if found else Path()
    return ",".join(str(path) for path in sorted(folder.glob("*spark4*.jar"))) if found else ""
