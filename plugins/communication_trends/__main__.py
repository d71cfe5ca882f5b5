"""The command line: ``python -m communication_trends``, or ``python`` and this folder, where plugins are."""

import os
import sys
from pathlib import Path

FILE = Path(__file__).resolve()

# Airflow runs this file too, and as __main__, where .airflowignore does not keep it from loading each file as a plugin
if Path(sys.argv[0]).resolve() in (FILE, FILE.parent) and "communication_trends.check" not in sys.modules:
    if not __package__:
        # Python was given the folder: its modules are found by their full names only
        sys.path[0] = str(FILE.parents[1])

    # what Airflow logs is no answer: it goes to the errors, also what it writes to standard output
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    try:
        from communication_trends.check import main
    except Exception as error:  # Airflow, too, may refuse to be imported
        print(f"FAILED  package: {error}", file=output)
        sys.exit(1)

    sys.exit(main(output))
