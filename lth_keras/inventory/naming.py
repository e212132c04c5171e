"""From a name that a person gives to what it means in a work directory."""

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from lth_keras import artefact, errors
from lth_keras.inventory.scanning import STAGES, TICKET, TICKETS, Exported, FoundRun, WorkDirectory

Thing = TypeVar('Thing')


def chosen(name: str, known: Mapping[str, Thing], what: str, parts: bool = True) -> Thing:
    """The thing of this name, or of the one name that ends with it, or has it as a part.

    Args:
      name: as given.
      known: name -> thing.
      what: what it is, for the error.
      parts: whether a part of a name will do; if not, the end of one must be given.

    >>> chosen('b/1', {'a-b/1': 10, 'a-b/11': 11}, 'ticket')
    10
    >>> chosen('-b', {'a-b/1': 10, 'a-b/11': 11}, 'ticket')
    Traceback (most recent call last):
    lth_keras.errors.ConfigError: expected the name of one ticket, received '-b', a part of \
2: a-b/1, a-b/11: give more of the name

    Raises:
      ConfigError: no such name, or several.
    """
    if name in known:
        return known[name]
    ends = [k for k in known if _ends(k, name)]
    found = ends or [k for k in known if parts and name and name in k]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise errors.ConfigError(
            f'expected the name of one {what}, received {name!r}, a part of {len(found)}: '
            f'{_listed(found)}: give more of the name'
        )
    if not known:
        raise errors.ConfigError(
            f'expected the name of one {what}, received {name!r}: none is there'
        )
    hint = errors.did_you_mean(name, known)
    raise errors.ConfigError(f'expected the name of one {what}, received {name!r}: {hint}')


def from_path(work: WorkDirectory, name: str, known: Container[str]) -> str:
    """The name of what lies at a path below the work directory; any other name as it was given."""
    top, path = os.path.abspath(work.path), Path(os.path.abspath(name))
    for above in (top, os.path.realpath(top)):
        parts = path.relative_to(above).parts if path.is_relative_to(above) else ()
        if len(parts) == 3 and parts[1] == TICKETS:
            parts = parts[0], parts[2]
        elif len(parts) == 2 and parts[0] == STAGES:
            parts = parts[1:]
        if name and '/'.join(parts) in known:
            return '/'.join(parts)
    return name


def _ends(name: str, end: str) -> bool:
    """Whether a name ends with whole words of it.

    >>> _ends('mlp-digits-ab12/round-1', 'digits-ab12/round-1'), _ends('mlp-ab12', 'b12')
    (True, False)
    """
    return bool(end) and name.endswith(end) and name[: -len(end)][-1:] in ('', '-', '/')


def _listed(names: Iterable[str], most: int = 20) -> str:
    names = sorted(names)
    return ', '.join(names[:most]) + (', ...' if len(names) > most else '')


def ticket(work: WorkDirectory, name: str) -> Exported:
    """An exported ticket by RUN/NAME, by a part of that, or by its path, wherever it lies.

    Raises:
      ConfigError: no such ticket, or several.
    """
    if name not in work.tickets:
        there = at_path(name)
        if there is not None:
            return there
    return chosen(name, work.tickets, 'exported ticket')


def at_path(name: str) -> Exported | None:
    """The ticket that lies at a path: its own folder, or the one a search exported it to."""
    path = Path(name)
    if os.path.lexists(path / TICKET / artefact.MANIFEST):
        folder = path
    elif os.path.lexists(path / artefact.MANIFEST) and path.absolute().name == TICKET:
        folder = path.parent
    elif os.path.lexists(path / artefact.MANIFEST):
        return Exported('', path)
    else:
        return None
    folder = Path(os.path.abspath(folder))
    exported = folder.parent.name == TICKETS
    return Exported(folder.parent.parent.name if exported else '', folder)


def ticket_folder(exported: Exported) -> Path:
    """Where the ticket itself lies."""
    inside = exported.folder / TICKET
    return inside if os.path.lexists(inside) else exported.folder


def run_of(work: WorkDirectory, exported: Exported) -> FoundRun | None:
    """The run that exported a ticket, if it is one of the work directory."""
    for found in work.tickets.values():
        if os.path.realpath(found.folder) == os.path.realpath(exported.folder):
            return work.runs[found.run]
    return None
