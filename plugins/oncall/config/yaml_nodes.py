"""A YAML text as nodes that know their line. Whatever the text is like, reading it ends soon: its size is limited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import yaml

MOST_VALUES = 50_000  # of a file: about 4,500 entries of leave
MOST_LEVELS = 20

_LOADER = getattr(yaml, "CLoader", yaml.Loader)  # libyaml where it is: 40 times as fast


@dataclass(frozen=True)
class Node:
    """One value of a YAML text: a scalar's text, a list's nodes or a mapping's pairs. `line` counts from 0."""

    line: int
    value: str | list[Node] | list[tuple[Node, Node]]
    kind: str  # scalar, list, mapping
    is_null: bool = False
    size: int = 1  # values in it, itself included


class BeyondMeasure(Exception):
    """A document that is YAML, and that nobody means."""

    def __init__(self, line: int, found: str, write: str) -> None:
        super().__init__(found)
        self.line, self.found, self.write = line, found, write


class NodeComposer:
    """Makes nodes of the parser's events, one by one, so that a limit ends the work where it is passed."""

    def __init__(self, tagged: Callable[[str, int], None]) -> None:
        """`tagged` is told of each tag, which is left out, and its line."""
        self._tagged = tagged
        self._anchors: dict[str, Node] = {}
        self._values = 0

    def document(self, text: str) -> Node:
        """The only document; nothing written is null."""
        found: list[Node] = []
        # collections that have begun, and their nodes so far
        open_ones: list[tuple[yaml.Event, list[Node]]] = []
        for event in yaml.parse(text, Loader=_LOADER):
            here = open_ones[-1][1] if open_ones else found
            if isinstance(event, yaml.CollectionStartEvent):
                self._count(event, 1)
                if len(open_ones) >= MOST_LEVELS:
                    raise BeyondMeasure(
                        event.start_mark.line, "lists and mappings within each other without end", "fewer"
                    )
                open_ones.append((event, []))
            elif isinstance(event, yaml.CollectionEndEvent):
                begun, nodes = open_ones.pop()
                outer = open_ones[-1][1] if open_ones else found
                outer.append(self._collection(begun, nodes))
            elif isinstance(event, yaml.ScalarEvent):
                self._count(event, 1)
                null = event.style in ("", None) and event.value in ("", "~", "null", "Null", "NULL")
                here.append(self._kept(event, Node(event.start_mark.line, event.value, "scalar", null)))
            elif isinstance(event, yaml.AliasEvent):
                here.append(self._alias(event))
            elif isinstance(event, yaml.DocumentStartEvent) and found:
                raise BeyondMeasure(event.start_mark.line, "a second document", "one document, without ---")
        return found[0] if found else Node(0, "", "scalar", is_null=True)

    def _collection(self, begun: yaml.Event, nodes: list[Node]) -> Node:
        size = 1 + sum(node.size for node in nodes)
        if isinstance(begun, yaml.SequenceStartEvent):
            return self._kept(begun, Node(begun.start_mark.line, nodes, "list", size=size))
        pairs = list(zip(nodes[::2], nodes[1::2], strict=True))
        return self._kept(begun, Node(begun.start_mark.line, pairs, "mapping", size=size))

    def _alias(self, event: yaml.AliasEvent) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise BeyondMeasure(
                event.start_mark.line, f"*{event.anchor}, which is not known here", "what it stands for"
            )
        self._count(event, node.size)
        return node

    def _kept(self, event: yaml.NodeEvent, node: Node) -> Node:
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._tagged(event.tag, node.line)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, event: yaml.Event, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            found = f"more than {MOST_VALUES} values"
            raise BeyondMeasure(event.start_mark.line, found, "fewer, such as without what is past")
