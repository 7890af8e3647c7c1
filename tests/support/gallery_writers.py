"""Finds in source text who writes rows of the gallery's models: names are followed through assignments."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

MODELS = frozenset({"Image", "Tag", "Album"})
SOURCES = frozenset({"gallery.models", "search.collection"})
READERS = frozenset({"images", "all_images"})  # of search/collection.py: they give querysets
RELATIONS = frozenset({"tags", "albums", "images"})

ROW_WRITES = frozenset({"save", "save_base", "delete", "create", "update", "get_or_create", "update_or_create"})
BULK_WRITES = frozenset({"bulk_create", "bulk_update"})
RELATION_WRITES = frozenset({"add", "set", "remove", "clear", "create"})
# Calls that give what they get.
WRAPPERS = frozenset({"get_object_or_404", "get_list_or_404", "list", "tuple", "sorted", "reversed", "next", "iter"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def model_forms(source: str) -> set[str]:
    """The classes of a module that are ModelForm of one of the models."""
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    return {one.name for one in classes for base in one.bases if "ModelForm" in _names(base) and _names(base) & MODELS}


def writes(source: str, forms: Iterable[str] = ()) -> list[str]:
    """Each call of a module that writes rows of the models, as ``line: code``."""
    tree = ast.parse(source)
    module = _Module(tree, frozenset(forms))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and module.is_write(node)]
    return [f"{call.lineno}: {ast.unparse(call)}" for call in calls]


class _Module:
    def __init__(self, tree: ast.Module, forms: frozenset[str]) -> None:
        self.rows = set(forms) | set(_imported(tree))
        self.models = frozenset(self.rows - READERS)
        self._follow(tree)

    def is_write(self, call: ast.Call) -> bool:
        if not isinstance(call.func, ast.Attribute):
            return False
        method, receiver = call.func.attr.removeprefix("a"), call.func.value
        if call.func.attr in RELATION_WRITES and isinstance(receiver, ast.Attribute) and receiver.attr in RELATIONS:
            return True
        return bool({method, call.func.attr} & (ROW_WRITES | BULK_WRITES)) and self._is_row(receiver)

    def _follow(self, tree: ast.Module) -> None:
        """Until nothing new is known: a name may be used above the line that tells what it is."""
        known = -1
        while known != len(self.rows):
            known = len(self.rows)
            for node in ast.walk(tree):
                self.rows.update(self._bound(node))

    def _bound(self, node: ast.AST) -> Iterator[str]:
        """The names that a node binds to rows, querysets, forms or functions that give them."""
        match node:
            case ast.Assign(targets=targets, value=value) if self._is_row(value):
                for target in targets:
                    yield from _targets(target)
            case ast.NamedExpr(target=target, value=value) if self._is_row(value):
                yield from _targets(target)
            case ast.For(target=target, iter=rows) | ast.comprehension(target=target, iter=rows) if self._is_row(rows):
                yield from _targets(target)
            case ast.AnnAssign(target=target, annotation=annotation) if _names(annotation) & self.models:
                yield from _targets(target)
            case ast.arg(arg=name, annotation=annotation) if annotation and _names(annotation) & self.models:
                yield name
            case ast.FunctionDef(name=name, returns=returns) if returns and _names(returns) & self.models:
                yield name

    def _is_row(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name):
                return name in self.rows
            case ast.Attribute(value=ast.Name(id="models"), attr=name) if name in MODELS:
                return True
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in WRAPPERS:
                return self._is_row(first)
            case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
                return self._is_row(inner)
            case ast.NamedExpr(value=inner) | ast.Starred(value=inner) | ast.ListComp(elt=inner):
                return self._is_row(inner)
            case ast.BoolOp(values=values):
                return any(map(self._is_row, values))
            case ast.IfExp(body=body, orelse=orelse):
                return self._is_row(body) or self._is_row(orelse)
        return False


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in SOURCES:
            yield from (alias.asname or alias.name for alias in node.names if alias.name in MODELS | READERS)
        elif isinstance(node, ast.ClassDef) and node.name in MODELS:
            yield node.name


def _targets(target: ast.expr) -> Iterator[str]:
    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _names(node: ast.AST) -> set[str]:
    """The names in an annotation or a base class, also in one that is written as a string."""
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="models" | "forms"), attr=name):
            return {name}
        case ast.Attribute():  # PIL.Image.Image is another
            return set()
        case ast.Constant(value=str(text)):
            return _names(ast.parse(text, mode="eval").body) if text.strip() else set()
    return set().union(*map(_names, ast.iter_child_nodes(node)))
