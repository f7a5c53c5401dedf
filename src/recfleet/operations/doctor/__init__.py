"""The doctor: what disagrees between Postgres, MLflow and the artifact store, and its repair.

``examine`` makes all checks and changes nothing; ``repair`` mends what was found. Postgres
is the authority. What is checked, a module each:

- ``_lists``: what is live is complete, checked, and of the champion on record.
- ``_models``: champions on record have their versions and aliases in MLflow.
- ``_files``: the files of models that are or could be in force are as they were written.
- ``_nights``: nights have ended, and changes of champion that were begun are done.
- ``_approvals``: requests that are past their time have ended, and MLflow knows how.
- ``_audit``: champions and modes are as the audit says that they became.
"""

from recfleet.operations.doctor._examine import Examined, Repaired, examine, repair
from recfleet.operations.doctor._finding import Finding

__all__ = ["Examined", "Finding", "Repaired", "examine", "repair"]
