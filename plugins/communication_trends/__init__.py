"""What organizations talked about, day by day: trends of messages in PostgreSQL, made by Airflow."""

__version__ = "0.2.0.dev0"
"""The package's version; the DAG files and ``sql/VERSION`` name the one that they belong to."""


def make_dags(*names: str) -> None:
    """
    Make the DAGs of the wheel; called by a DAG file of two lines, each time that Airflow reads it.

    :param names: of the files, without ``.py``; by default the daily, weekly and monthly DAG.
    :raises ImportError: where the package is in the plugins folder, and its DAG files in the DAGs folder.
    """
    import runpy
    from pathlib import Path

    folder = Path(__file__).parent / "dags"
    if not folder.is_dir():
        raise ImportError(f"{folder} is not there: this is not the wheel. Copy the files of dags/ to the DAGs folder.")
    for name in names or ("communication_trends_periods",):
        # run, not imported: Airflow collects DAGs as they are made, and a module is made once in a process
        runpy.run_path(str(folder / f"{name}.py"))
