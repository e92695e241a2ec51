"""Puts the changed code in place of the running one: into the function that holds it, or, for a module's own level, by an import hook.

The files are never touched, because others read them meanwhile.
"""

from __future__ import annotations

import gc
import inspect
import sys
from ast import Module
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, FunctionType, ModuleType

from .mutant import Mutant, changed


class Unpatchable(Exception):
    """The change does not fit into the function as it lives."""


class Living:
    """The functions of one source, as they live in this process."""

    def __init__(self, source: str, filename: str) -> None:
        self._source, self._filename = source, filename
        self._codes = list(_outermost(compile(source, filename, "exec", dont_inherit=True)))
        functions = [each for each in gc.get_objects() if isinstance(each, FunctionType) and each.__code__.co_filename == filename]
        self._functions = [[each for each in functions if each.__code__ == code] for code in self._codes]

    def patch(self, mutant: Mutant) -> None:
        """Gives them the changed code. Raises Unpatchable when it changes none of them, or does not fit."""
        new = list(_outermost(compile(changed(self._source, mutant), self._filename, "exec", dont_inherit=True)))
        places = [at for at, code in enumerate(self._codes) if len(new) != len(self._codes) or code != new[at]]
        if len(places) != 1 or not self._functions[places[0]]:
            raise Unpatchable
        for function in self._functions[places[0]]:
            try:
                function.__code__ = new[places[0]]
            except ValueError as error:  # it closes over more, or less, than before
                raise Unpatchable from error


def _outermost(code: CodeType) -> Iterator[CodeType]:
    """The functions that stand in no other function, in the order of the source."""
    for const in code.co_consts:
        if isinstance(const, CodeType):
            if const.co_flags & inspect.CO_OPTIMIZED:
                yield const
            else:  # the body of a class
                yield from _outermost(const)


class Hook(MetaPathFinder):
    """Gives a module the changed code when it is imported."""

    def __init__(self, module: str, tree: Module) -> None:
        self._module, self._tree = module, tree

    def install(self) -> None:
        assert self._module not in sys.modules, f"{self._module} is imported already, so that it cannot be changed any more"
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, self._tree)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, tree: Module) -> None:
        super().__init__(fullname, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._tree, self.path, "exec", dont_inherit=True)
        return code
