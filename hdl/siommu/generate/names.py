"""Names of exported Verilog: those of the source, and no escaped identifier.

Yosys writes what has no name in the source as ``\\$123``, fields of structs as ``\\tag_0.key``, and
what has a name twice as ``\\ready$5``. All of them are legal Verilog, and many tools refuse them or
lose them on their way through a netlist or a waveform. Here they become words: those of the source
where there are some, ``_n1``, ``_n2`` … in each module where there are none.

Amaranth finds the name of ``ready = Signal()``, and gives up on ``a, b = Signal(), Signal()``. So
those names are taken from the variables that hold the signals (:func:`source_names`).
"""

import re
import sys
from contextlib import contextmanager
from pathlib import Path

from amaranth import Signal, Value, ValueCastable
from amaranth.lib import memory, wiring

__all__ = ["hierarchy", "plain_names", "source_names"]

_SOURCE = str(Path(__file__).resolve().parents[1])
_UNNAMED, _UNNAMED_PORT = "$signal", "$signature"

#: Words of IEEE 1800-2017 that no identifier may be.
KEYWORDS = frozenset("""
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup
    coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable
    endtask enum event eventually expect export extends extern final first_match for force foreach
    forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins
    illegal_bins implements implies import incdir include initial inout input inside instance int
    integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype
    new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed
    parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown
    pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
    realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
    s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1
    struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout
    time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type
    typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual
    void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
""".split())

# What the text of a module consists of. Numbers, strings and system functions hold no names.
_TOKEN = re.compile(r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<string> "(?:\\.|[^"\\])*" )
  | (?P<number> \d*'[sS]?[bdhoBDHO][\w?]+ | \d[\w.]* )
  | (?P<system> \$\w+ )
  | (?P<port> \.(?:\\\S+\s|[A-Za-z_]\w*)(?=\() )
  | (?P<escaped> \\\S+\s (?P<closes> (?=[\s;,)}\[]) )? )
  | (?P<word> [A-Za-z_]\w* )""", re.X | re.S)
_MODULE = re.compile(r"^module (\\\S+ |\w+) ?\(.*?^endmodule$", re.M | re.S)
# A module inside of another one: its kind, its name, and the list of its connections.
_INSTANCE = re.compile(r"^  (\\\S+ |\w+) (\\\S+ |\w+) \(\n.*?^  \);$", re.M | re.S)
# The next value of a register, as Amaranth has it written: in a process of its own.
_NEXT = re.compile(r"^    (\\\S+ |\w+) <= (\\\$\d+ );$", re.M)
_AUTOMATIC = re.compile(r"\$|port\$\d+\$\d+$")      # beginnings of names that the tools made
_TEMPORARY = re.compile(r"\\\$(\d+)(?=\s)")
_MEMORY_PORT = f"{_UNNAMED_PORT}__"                 # except these, of a memory's ports
_HEAD = re.compile(r"([^.\[]+)(.*)", re.S)


def _give_name(name, held):
    """Names what a variable holds: a signal, a port of a memory, or several of them."""
    if isinstance(held, (Signal, ValueCastable)):
        signal = Value.cast(held)
        if isinstance(signal, Signal) and signal.name == _UNNAMED:
            signal.name = name
    elif isinstance(held, (memory.ReadPort, memory.WritePort)):
        for _, _, member in held.signature.flatten(held):
            signal = Value.cast(member)
            if isinstance(signal, Signal) and signal.name.startswith(f"{_UNNAMED_PORT}__"):
                signal.name = name + signal.name.removeprefix(_UNNAMED_PORT)
    elif isinstance(held, (list, tuple)):
        for index, item in enumerate(held):
            _give_name(f"{name}_{index}", item)
    elif isinstance(held, dict):
        for key, item in held.items():
            if isinstance(key, str):
                _give_name(f"{name}_{key}", item)


@contextmanager
def source_names():
    """While it is entered, a signal without a name gets that of the variable or attribute of this
    package's functions that holds it when the function returns."""
    def calls(frame, _event, _argument):
        if not frame.f_code.co_filename.startswith(_SOURCE):
            return None
        frame.f_trace_lines = False
        return returns

    def returns(frame, event, _result):
        if event != "return":
            return
        code, variables = frame.f_code, frame.f_locals
        parameters = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
        for name, held in variables.items():
            if name not in parameters:      # those are somebody else's
                _give_name(name, held)
        if isinstance(variables.get("self"), wiring.Component):
            for name, held in vars(variables["self"]).items():
                _give_name(name.lstrip("_"), held)

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        yield
    finally:
        sys.settrace(before)


def _bare(name):
    return name.removeprefix("\\").rstrip()


def _field(path):
    """The rest of a name, behind a signal's: ``.key.vpn`` is ``__key__vpn``, ``[3]`` is ``_3``."""
    return re.sub(r"\W", "", path.replace(".", "__").replace("[", "_"))


class _Scope:
    """Names of one module: every old one has one new one. ``words`` are plain already, and stay.

    ``following`` are the temporaries that hold the next value of a register, with its old name."""

    def __init__(self, words, following):
        self._taken, self._automatic = words | KEYWORDS, 0
        self._names = {word: word for word in words - KEYWORDS}
        self._following = following

    def __getitem__(self, old):
        if old not in self._names:
            self._names[old] = self._new(old)
            self._taken.add(self._names[old])
        return self._names[old]

    def _new(self, old):
        if old in self._following:
            return self._free(f"{self[self._following[old]]}__next")
        if old.startswith("$auto"):
            return self._next_automatic()
        head, path = _HEAD.match(old).groups()
        if path:
            return self._free(self[head] + _field(path))
        if head.startswith(_MEMORY_PORT):
            head = f"port__{head.removeprefix(_MEMORY_PORT)}"
        if _AUTOMATIC.match(head):
            return self._next_automatic()
        return self._free(re.sub(r"\W", "_", head.split("$")[0]))

    def _next_automatic(self):
        self._automatic += 1
        while f"_n{self._automatic}" in self._taken:
            self._automatic += 1
        return f"_n{self._automatic}"

    def _free(self, name):
        if name in KEYWORDS:
            name += "_"
        number, free = 1, name
        while free in self._taken:
            number += 1
            free = f"{name}_{number}"
        return free


def _words(body):
    """The plain identifiers of a module's text: they stay as they are."""
    return {match["word"] for match in _TOKEN.finditer(body) if match["word"]}


def plain_names(text):
    """``text``, Verilog as Yosys writes it, with plain identifiers only.

    Module ``siommu.core.tlb`` becomes ``siommu_core_tlb``. Names that are plain already stay, so
    the ports of the uppermost module do. The result depends on nothing but the text.
    """
    bodies = [match for match in _MODULE.finditer(text)]
    old_modules = [_bare(match[1]) for match in bodies]
    modules = {}
    for name in old_modules:
        plain = re.sub(r"\$\d+", "", name).replace(".", "_")
        number, free = 1, plain
        while free in modules.values():
            number += 1
            free = f"{plain}_{number}"
        modules[name] = free
    scopes = {name: _Scope(_words(match[0]),
                           {_bare(temporary): _bare(register)
                            for register, temporary in _NEXT.findall(match[0])})
              for name, match in zip(old_modules, bodies)}

    for name, match in zip(old_modules, bodies):
        temporaries = {int(number) for number in _TEMPORARY.findall(match[0])}
        for number in sorted(temporaries):      # in the order of the source, not of the alphabet
            scopes[name][f"${number}"]

    def renamed(body, scope):
        def token(match):
            if match["escaped"]:        # a space ends it, whatever follows
                return scope[_bare(match["escaped"])] + ("" if match["closes"] == "" else " ")
            return match[0]
        return _TOKEN.sub(token, body)

    def module(match):
        scope, pieces, done = scopes[_bare(match[1])], [], 0
        text = match[0]
        head = len(f"module {match[1]}")
        pieces.append(f"module {modules[_bare(match[1])]}")
        done = head
        for instance in _INSTANCE.finditer(text):
            if _bare(instance[1]) not in modules:
                continue
            inner = scopes[_bare(instance[1])]

            def connection(found, inner=inner, scope=scope):
                if found["port"]:
                    name = found["port"][1:]
                    return "." + (inner[_bare(name)] if name.startswith("\\") else name)
                return scope[_bare(found["escaped"])] if found["escaped"] else found[0]
            pieces.append(renamed(text[done:instance.start()], scope))
            name = instance[2]
            name = scope[_bare(name)] if name.startswith("\\") else name
            start = instance.start(2) + len(instance[2])
            pieces.append(f"  {modules[_bare(instance[1])]} {name}"
                          + _TOKEN.sub(connection, text[start:instance.end()]))
            done = instance.end()
        pieces.append(renamed(text[done:], scope))
        return "".join(pieces)

    return _MODULE.sub(module, text)


def hierarchy(text):
    """Where each module of exported Verilog stands: name to path of instances, from the uppermost
    one, ``siommu_control_core`` to ``siommu.control.core``. A module stands in one place."""
    inside, modules = {}, []
    for match in _MODULE.finditer(text):
        modules.append(match[1].rstrip())
        for kind, name in re.findall(r"^  (\w+) (\w+) \($", match[0], re.M):
            inside[kind] = match[1].rstrip(), name

    def path(module):
        if module not in inside:
            return module
        parent, name = inside[module]
        return f"{path(parent)}.{name}"
    return {module: path(module) for module in modules}
