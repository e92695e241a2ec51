"""What may be changed in a program, one thing at a time: each a mistake that somebody could make, or leave in."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy

Change = ast.AST | None
"""What stands in place of a node; None: nothing, where there may be nothing."""

_COMPARISONS: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_OPPOSITE = {"any": "all", "all": "any", "min": "max", "max": "min", "floor": "ceil", "ceil": "floor"}


def changes(node: ast.AST) -> Iterator[Change]:
    """Everything that may stand in place of one node."""
    for kind, ways in _WAYS.items():
        if isinstance(node, kind):
            yield from ways(node)


def _compared(node: ast.Compare) -> Iterator[Change]:
    for at, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            new = deepcopy(node)
            new.ops[at] = other()
            yield new


def _either(node: ast.BoolOp) -> Iterator[Change]:
    """The other word, and each operand forgotten."""
    new = deepcopy(node)
    new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield new
    for at in range(len(node.values)):
        left = [value for index, value in enumerate(node.values) if index != at]
        yield ast.BoolOp(op=node.op, values=left) if len(left) > 1 else left[0]


def _denied(node: ast.UnaryOp) -> Iterator[Change]:
    yield node.operand


def _tested(node: ast.If | ast.IfExp | ast.While) -> Iterator[Change]:
    """A bare condition turned round; comparisons, `and`, `or` and `not` are changed where they stand."""
    if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        new = deepcopy(node)
        new.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
        yield new


def _filtered(node: ast.comprehension) -> Iterator[Change]:
    for at in range(len(node.ifs)):
        new = deepcopy(node)
        del new.ifs[at]
        yield new


def _computed(node: ast.BinOp | ast.AugAssign) -> Iterator[Change]:
    new = deepcopy(node)
    new.op = _ARITHMETIC[type(node.op)]()
    yield new


def _constant(node: ast.Constant) -> Iterator[Change]:
    match node.value:
        case bool(value):
            yield ast.Constant(not value)
        case int(value) | float(value):
            yield ast.Constant(value + 1)
        case str(value) if " " not in value:  # what has a space in it is for people
            yield ast.Constant(f"{value}?")
        case bytes(value):
            yield ast.Constant(value + b"?")


def _called(node: ast.Call) -> Iterator[Change]:
    """A function's opposite, and each argument with a name forgotten."""
    match node.func:
        case ast.Name(id=name) if name in _OPPOSITE:
            yield ast.Call(func=ast.Name(_OPPOSITE[name], ast.Load()), args=node.args, keywords=node.keywords)
        case ast.Attribute(value=ast.Name(id="math") as module, attr=name) if name in _OPPOSITE:
            yield ast.Call(func=ast.Attribute(module, _OPPOSITE[name], ast.Load()), args=node.args, keywords=node.keywords)
    for at, keyword in enumerate(node.keywords):
        if keyword.arg not in (None, "description"):
            new = deepcopy(node)
            del new.keywords[at]
            yield new


def _returned(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(value=ast.Constant(None))


def _forgotten(node: ast.stmt) -> Iterator[Change]:
    yield ast.Pass()


def _assigned(node: ast.Assign) -> Iterator[Change]:
    if not isinstance(node.value, ast.Constant) and all(isinstance(target, ast.Name | ast.Attribute) for target in node.targets):
        yield ast.Assign(targets=node.targets, value=ast.Constant(None))


def _done(node: ast.Expr) -> Iterator[Change]:
    if not isinstance(node.value, ast.Constant):
        yield ast.Pass()


_WAYS: Mapping[type[ast.AST], Callable[..., Iterator[Change]]] = {
    ast.Compare: _compared,
    ast.BoolOp: _either,
    ast.UnaryOp: _denied,
    ast.If: _tested,
    ast.IfExp: _tested,
    ast.While: _tested,
    ast.comprehension: _filtered,
    ast.BinOp: _computed,
    ast.AugAssign: _computed,
    ast.Constant: _constant,
    ast.Call: _called,
    ast.Return: _returned,
    ast.Raise: _forgotten,
    ast.Delete: _forgotten,
    ast.Assign: _assigned,
    ast.Expr: _done,
}
