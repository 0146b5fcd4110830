"""Proofs that a mutant changes nothing: found where that is so, and nowhere else."""

from dataclasses import dataclass

import pytest
from support.rungs import bulk_but

from spiketwin.cosim.trials.mutation.equivalence import changes_nothing
from spiketwin.cosim.trials.mutation.sites import sites

AT = '(* src = "/any/gateware/core/unit.py:7" *)'
"""Stands behind the operator that is changed."""

PART = """module \\Top.part (in, out);
  input [1:0] in;
  wire [1:0] in;
  output [1:0] out;
  wire [1:0] out;
  assign out = ~in;
endmodule
"""

UNIT = """module \\Top.unit (clk, a, b, q);
  input clk;
  wire clk;
  input [1:0] a;
  wire [1:0] a;
  input [1:0] b;
  wire [1:0] b;
  output [1:0] q;
  wire [1:0] q;
{}endmodule
"""

PAIR = """  wire [1:0] x;
  reg one = 1'h0;
  reg two = 1'h0;
  always @(posedge clk)
    one <= a[0];
  always @(posedge clk)
    two <= a[0];
  assign x = b + @ { 1'h0, one ^ two };
  assign q = x;
"""
"""Two registers that are equal as soon as they had an input."""

MEMORY = """  wire [1:0] x;
  reg [1:0] \\memory  [3:0];
  initial begin : _zeros_0
    integer _word;
    for (_word = 0; _word <= 3; _word = _word + 1)
      \\memory  [_word] = 0;
  end
  assign x = a {} @ {};
  always @(posedge clk)
    \\memory  [a] <= x;
  assign q = \\memory [b];
"""


GUARDED = """  wire [1:0] x;
  reg [1:0] fsm_state = 2'h{};
  always @(posedge clk)
    fsm_state <= {};
  assign x = a & @ b;
  assign q = fsm_state[1] ? x : 2'h0;
"""
"""A result that is seen in two of four states."""

PARENT = """module Top (clk, a, b, q);
  input clk;
  wire clk;
  input [1:0] a;
  wire [1:0] a;
  input [1:0] b;
  wire [1:0] b;
  output [1:0] q;
  wire [1:0] q;
  wire [1:0] x;
  wire [1:0] y;
  \\Top.unit  unit (
    .clk(clk),
    .a({}),
    .b(b),
    .q(x)
  );
  \\Top.part  part (
    .in({}),
    .out(y)
  );
  assign q = {{ y[0], a[0] }};
endmodule
"""


@dataclass(frozen=True)
class Case:
    """A unit with one operator that is changed, and whether a proof has to be found."""

    name: str
    body: str
    proved: bool
    parent: str = ""


CASES = [
    Case("the same for all inputs", "  assign q = a & @ a;\n", True),
    Case("another result", "  assign q = a & @ b;\n", False),
    Case("a register that nothing looks at",
         "  wire [1:0] x;\n  reg [1:0] kept;\n  assign x = a & @ b;\n"
         "  always @(posedge clk)\n    kept <= x;\n  assign q = kept ^ kept;\n", True),
    Case("a register that is seen later",
         "  wire [1:0] x;\n  reg [1:0] kept;\n  assign x = a & @ b;\n"
         "  always @(posedge clk)\n    kept <= x;\n  assign q = kept;\n", False),
    Case("a difference in no state that comes", PAIR, True),
    Case("a difference at power-up alone", PAIR.replace("two = 1'h0", "two = 1'h1"), False),
    Case("what a memory keeps", MEMORY.format("&", "b"), False),
    Case("the same in a memory", MEMORY.format("&", "a"), True),
    Case("what a part is given",
         "  wire [1:0] x;\n  assign x = a & @ b;\n"
         "  \\Top.part  part (\n    .in(x),\n    .out(q)\n  );\n", False),
    Case("a state that never comes", GUARDED.format(0, "{ 1'h0, a[0] }"), True),
    Case("a state that comes", GUARDED.format(0, "{ a[1], a[0] }"), False),
    Case("a state that is there at power-up", GUARDED.format(2, "fsm_state"), False),
    Case("what the parent does not look at", "  assign q = a & @ b;\n", True,
         PARENT.format("a", "{ b[1], b[0] }")),
    Case("what the parent looks at", "  assign q = a & @ b;\n", False, PARENT.format("a", "x")),
    Case("what the parent looks at a part of", "  assign q = a & @ b;\n", True,
         PARENT.format("{ a[1], b[0] }", "{ b[1], x[0] }")),
    Case("what differs in the part that the parent looks at", "  assign q = a & @ b;\n", False,
         PARENT.format("{ a[0], b[1] }", "{ b[1], x[0] }")),
    Case("the same for a part whose name is escaped",
         "  wire [1:0] x;\n  assign x = a & @ a;\n"
         "  \\Top.part  \\part$7  (\n    .in(x),\n    .out(q)\n  );\n", True),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", bulk_but(CASES[4:6] + CASES[-8:], CASES), ids=lambda case: case.name
)
def test_a_proof_is_found_where_nothing_changes_and_nowhere_else(case: Case) -> None:
    body = case.body.replace(" @ ", f" {AT} ")
    verilog = case.parent + PART + UNIT.format(body)
    (site,) = sites(verilog)
    assert changes_nothing(verilog, site.place) == case.proved
