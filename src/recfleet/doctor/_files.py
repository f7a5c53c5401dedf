"""Whether the files of models that are or could come into force are as they were written."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

from recfleet.contents import Contents
from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.errors import BadInputError, TenantError
from recfleet.record import forget_previous, get_champion
from recfleet.registry import CHAMPION, PREVIOUS

_SAMPLED = 10
"""With ``quick``, the doctor reads the files of one tenant in this many; another one each day."""
_MODELS = """
select tenant_id, role, version, model_uri, contents
  from model_on_record
 where model_uri is not null
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id, role
"""
_ROLES = {CHAMPION: "its champion", PREVIOUS: "the one before its champion"}

Model = tuple[str, str, int, str, Contents | None]
"""Tenant, role, version, folder, and what the folder must hold."""


def _find(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    with tools.connection.cursor() as cursor:
        cursor.execute(_MODELS, {"tenants": None if tenant_ids is None else sorted(tenant_ids)})
        models: list[Model] = cursor.fetchall()
    if tools.quick and tenant_ids is None:
        today = tools.now().toordinal()
        models = [model for model in models if _is_sampled(model[0], today)]
    done = 0
    for _, items in groupby(models, key=lambda model: model[0]):
        of_tenant = list(items)
        broken = {model[1]: why for model in of_tenant if (why := _trouble(tools, *model[3:]))}
        yield from (_damaged(model, broken, of_tenant) for model in of_tenant if model[1] in broken)
        done += len(of_tenant)
        tools.told(done, len(models))


def _is_sampled(tenant_id: str, today: int) -> bool:
    return (zlib.crc32(tenant_id.encode()) + today) % _SAMPLED == 0


def _trouble(tools: Tools, model_uri: str, contents: Contents | None) -> str | None:
    """What is wrong with a model's files, in words; None: nothing."""
    from recfleet.models import check_format, read_model

    try:
        files = tools.artifacts.read(model_uri, contents)
        # Files that are as they were written need no loading, which takes most of the time.
        if contents is None:
            read_model(files)
        else:
            check_format(files)
    except (TenantError, BadInputError) as error:
        return str(error)
    return None


def _damaged(model: Model, broken: Mapping[str, str], models: Sequence[Model]) -> Finding:
    """The finding about a model with damaged files.

    Args:
        model: the damaged model.
        broken: role -> what is wrong, for the tenant's damaged models.
        models: all models of the tenant.
    """
    tenant_id, role, version, *_ = model
    who = _ROLES.get(role, "which awaits approval")
    what = f"version {version}, {who}, cannot be loaded: {broken[role]}"
    if role not in _ROLES:
        advice = "restore the files, or `recfleet approvals reject`"
        return Finding("files", tenant_id, what, None, advice, version=version)
    if role == PREVIOUS:
        return Finding(
            "files",
            tenant_id,
            what,
            "drops it as previous, so that nobody goes back to it",
            "restore the files; then nothing needs repair",
            version=version,
        )
    earlier = next((number for _, other, number, *_ in models if other == PREVIOUS), None)
    if earlier is not None and PREVIOUS not in broken:
        otherwise = f"`recfleet rollback {tenant_id} --reason …` goes back to version {earlier}"
    else:
        otherwise = f"`recfleet night run --tenant {tenant_id}` trains a new model"
    return Finding(
        "files", tenant_id, what, None, f"restore the files, or {otherwise}", version=version
    )


def _forget_previous(tools: Tools, finding: Finding) -> None:
    assert finding.tenant_id is not None  # noqa: S101 - its check sets it
    assert finding.version is not None  # noqa: S101 - its check sets it
    forget_previous(tools.connection, finding.tenant_id, finding.version)
    champion = get_champion(tools.connection, finding.tenant_id, CHAMPION)
    tools.registry.set_champion(
        finding.tenant_id, version=champion.version if champion else None, previous=None
    )


FILES = Check("files", _find, _forget_previous)
