"""The doctor finds and repairs disagreements between Postgres, MLflow and the artifact store.

``examine`` makes all checks and changes nothing; ``repair`` mends what was found. Postgres
is the authority. Each module has one kind of check:

- ``_lists``: live releases are complete, checked, and made by the champion on record.
- ``_models``: champions on record have their versions and aliases in MLflow.
- ``_digests``: the record says what each model's files are, as the audit does.
- ``_files``: files of models that are or could come into force are as they were written.
- ``_nights``: nights have ended, and changes of champion are finished.
- ``_approvals``: requests past their time have ended, and MLflow knows how.
- ``_audit``: champions and modes agree with the audit.
"""

from recfleet.doctor._examine import Examined, Repaired, examine, repair
from recfleet.doctor._finding import Finding

__all__ = ["Examined", "Finding", "Repaired", "examine", "repair"]
