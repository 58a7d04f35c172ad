"""Which version predicts for each project, as far as this process knows."""

from __future__ import annotations

from ..store import projects, versions
from ..store.database import Database
from ..store.versions import INITIAL_NAME
from ..wire.replies import ServedProject


class ActiveVersions:
    """What `/setup` announces and workers predict with."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[str, int] = {}
        self._names: dict[str, str] = {}

    def number(self, project_id: str) -> int:
        """Number of the version that predicts for a project."""
        return self._numbers.get(project_id, 0)

    def name(self, project_id: str) -> str:
        """Its name, as far as known."""
        return self._names.get(project_id, INITIAL_NAME)

    def named(self, project_id: str, number: int, name: str) -> None:
        """A worker says what the version is called now."""
        if number == self.number(project_id):
            self._names[project_id] = name

    def activated(self, project_id: str, number: int, name: str) -> None:
        """Another version predicts from now on."""
        self._numbers[project_id], self._names[project_id] = number, name

    async def know(self, project_id: str, label_config: str | None = None) -> None:
        """Make sure that the project is in the store and here.

        Raises:
            StoreError: the database cannot be used.
        """
        if project_id in self._numbers:
            return
        project = await self._database.read_async(projects.get, project_id)
        if project is None:
            project = await self._database.write_async(projects.save, project_id, label_config=label_config)
        active = await self._database.read_async(versions.active, project_id)
        self._names.setdefault(project_id, active.name if active else INITIAL_NAME)
        self._numbers.setdefault(project_id, project.active_version)

    def is_known(self, project_id: str) -> bool:
        """Whether the project has been heard of since the start."""
        return project_id in self._numbers

    def forget(self, project_id: str) -> None:
        """The project was deleted."""
        self._numbers.pop(project_id, None)
        self._names.pop(project_id, None)

    def overview(self) -> list[ServedProject]:
        """The projects known so far, for people."""
        return [ServedProject(project_id, self.name(project_id)) for project_id in sorted(self._numbers)]
