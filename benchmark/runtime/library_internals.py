"""What the project knows of joblib and submitit beyond their documentation.

Neither says which processes and files belong to its jobs, and both kill their jobs, or leave them,
when the program is interrupted. Checked with joblib 1.5.3 and submitit 1.5.4;
`tests/test_launchers.py` fails where another version differs.
"""

JOB_MODULES = ("joblib.externals.loky.backend.popen_loky_posix", "submitit.core._submit")
"""Modules that joblib's and submitit's processes run for a job, as their command lines show."""

CONTROLLER_MODULE = "submitit.local._local"
"""The same of the process that submitit starts, on this machine, to watch over a job."""

SUBMITTED_FILE = "*_submitted.pkl"
"""What submitit writes into a job's folder at its submission, as a pattern."""

RESULT_FILE = "{job}_0_result.pkl"
"""What it writes there at its end."""
