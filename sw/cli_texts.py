"""What `systolith COMMAND --help` says above the options; the first sentence also in `systolith --help`."""

__all__ = ["IMAGES", "TEXTS"]

IMAGES = "an .npz file with `images` uint8 [N,H,W,C] (and `labels`), or a folder of PNG or JPEG files"

TEXTS = {
    "check": """\
Every operator of an ONNX file: supported or not and why, where it runs, shapes, MACs, parameters.
With engine options, whether that engine has room for it; without, one of default size. What check
accepts no later command refuses.

example:
  systolith check net.onnx
  systolith check net.onnx --rows 4 --cols 4 --scratchpad 16K""",
    "quantize": """\
Quantize a network to dynamic fixed point. Writes a directory: the integer network, DIR/qdq.onnx for
ONNX Runtime, the report, and the preprocessing, which later commands reuse. An existing DIR is
replaced whole or kept whole.

example:
  systolith quantize net.onnx --calib calib.npz --mean 0.2860 --std 0.3530 -o net.q
  systolith quantize net.onnx --data-free --mean 0.2860 --std 0.3530 -o net.q""",
    "bits": """\
Bit widths of single layers: how sensitive each one is, and what accuracy weight memory buys. Quantizes
with one width everywhere and with widths allocated to budgets. Writes DIR/bits.json, bits.txt, bits.png
and DIR/widths/*.json for `quantize --wgt-bits`. What was measured before is kept in DIR/points; an
interrupted run goes on from there.

examples:
  systolith bits net.onnx --calib calib.npz --images test.npz -o net.bits
  systolith quantize net.onnx --calib calib.npz --wgt-bits net.bits/widths/4-bits.json -o net.q
  systolith quantize net.onnx --calib calib.npz --wgt-bits 4.5 -o net.q""",
    "static": """\
Static against dynamic precision, the experiment of Qiu et al. (FPGA 2016). Static: one fractional length
for all weights and one for all activations, the best of all pairs by the logits' squared error on the
calibration images. Dynamic: one of each layer, once rounded to nearest as static is, once with
--correct. Writes DIR/static.json, static.txt, static.png.

example:
  systolith static net.onnx --calib calib.npz --images test.npz --precisions 16,8,8/4 -o net.static""",
    "evaluate": """\
Accuracy on labelled images: float, integers, how often they agree. Integers are compared with ONNX
Runtime's: exit status 1 if one differs. Of an ONNX file: the float network alone.

example:
  systolith evaluate net.q --images test.npz""",
    "report": """\
A page of all that is known: the network as a graph, layers, where the cycles go, timeline, roofline,
resources, quantization. One HTML file that needs nothing else: no network, no scripts; to read on screens
of any width, in light or dark, and to print.

Give one source or several, which share the page:
  DIR          a quantized model: its formats, and its cycles on the engine that the options describe
  PROGRAM      of `compile`: cycles, timeline, roofline and resources on its own engine
  RESULTS      of `sweep`: heat map, Pareto front, all points
  FILE.json    of `verify --json`: codes compared; of `synth --json`: cells, clock, the slowest path

examples:
  systolith report net.q --rows 16 --cols 16 -o net.html
  systolith report net.q net.program verify.json synth.json -o net.html
  systolith report results -o sweep.html""",
    "compare": """\
Quantized models side by side on the same images: SQNR of the logits, how often they choose the float
network's class, top-1 where there are labels.

example:
  systolith compare a.q b.q --images test.npz --picture compared.png""",
    "compile": """\
Compile a quantized network for an engine. The program holds the engine's configuration and runs on
no other. Maps that do not fit the scratchpad go through it strip by strip.

example:
  systolith compile net.q --rows 8 --cols 8 --explain -o net.program""",
    "model": """\
Cycles of a network on an engine, equal to the RTL's but without running it: in total, back to back, layer
by layer with what each one waited for and the bound that holds. Of an ONNX file: in nominal formats,
which take as many cycles.

example:
  systolith model net.onnx --rows 16 --cols 16 --images 8""",
    "profile": """\
What every instruction does and when: a picture of fetch, load, compute, store and the memory port over
cycles, with what the array stalls for, and a table of layers. From the cycle model, or with --from rtl
from a run of the engine in Verilator, whose events must be those of the model (exit status 1 if not).
With --json all spans. A trace (-o FILE.json) opens in https://ui.perfetto.dev, where 1 us is 1 cycle.

examples:
  systolith profile net.q --rows 16 --cols 16 --images 3 -o timeline.png
  systolith profile net.q --rows 16 --cols 16 --layers conv1 -o conv1.png
  systolith profile net.onnx --from rtl --first 0 --last 2000 -o start.svg""",
    "sweep": """\
Cycles, utilization, bytes moved, an energy proxy and memory of a model on many engines. Every engine option takes
values: 8, a list 4,8,16, a range 4:32 or 4:32:4 (both ends belong to it). What an engine refuses is a point with its
reason. Writes DIR/sweep.json, sweep.csv, sweep.txt, sweep.png and DIR/points.sqlite: points in there are not computed
again, so an interrupted sweep goes on, and several processes may share one DIR.

Of an ONNX file: in nominal formats, as `model`. A .csv file is a layer table of SCALE-Sim (name, ifmap h, w,
filter h, w, channels, filters, stride): each layer by itself, cycles added up.

examples:
  systolith sweep net.onnx --rows 4:32:4 --cols 4,8,16,32 --wgt-width 4,8 -o results
  systolith sweep net.onnx --rows 8,16 --wgt-width 2:8 --accuracy test.npz --calib calib.npz -o results
  systolith sweep resnet18.csv --rows 8,16,32 --cols 8,16,32 --scheduler tcp://server:8786 -o results""",
    "explore": """\
Search the engines of a board for those worth building for one network: arrays, memories and widths of weights, for
frames a second, accuracy, DSPs and block RAMs. Prints the Pareto front and one engine of it, why, and the commands that
build it. Writes DIR/explore.json, explore.csv, explore.txt, explore.png; an interrupted exploration of DIR goes on.

Program, weights and images are in the FPGA's block RAM beside the engine. DSPs and block RAMs are exact, look-up tables
and registers of a model fitted on syntheses, the clock is an estimate unless --clock says it: place and route, the last
command that it prints, has the last word.

examples:
  systolith explore net.onnx --board ulx3s-85f --min-fps 30 -o explored
  systolith explore net.onnx --board ulx3s-85f --min-fps 1000 --calib calib.npz --rows 4:16:4 --cols 4:32:4 -o explored
  systolith explore net.q --board ulx3s-25f --sampler grid --rows 2:6 --cols 2:6 --trials 100000 -o explored""",
    "disasm": """\
The listing of a program, one line an instruction.

example:
  systolith disasm net.program | less""",
    "verilog": """\
Generate the engine as Verilog. Top module `engine`: memory port AXI4 (axi__*), control port
AXI4-Lite (ctl__*), clk, rst (synchronous, active high), irq.

example:
  systolith verilog --rows 8 --cols 8 -o engine.v

--testbench also writes the folder engine_bench/: memory, control port, a small program and the
results it must give. To run it, all you need is Verilator >= 5.036:
  systolith verilog --rows 4 --cols 4 -o engine.v --testbench
  cd engine_bench
  make                 (or: verilator --binary --timing -f files.f && ./obj_dir/Vtestbench)
It prints PASS, or FAIL and what differs, and then ends with a status other than 0.

--package DIR also writes a folder that other flows take: the Verilog, a FuseSoC core, a script that makes a
Vivado IP, SDC and XDC constraints for --freq MHz, a datasheet of this engine (docs/ip.md):
  systolith verilog --rows 8 --cols 8 -o engine.v --package engine_ip --freq 150

--device ecp5-85f (or another ECP5 or Gowin) writes what yosys makes of it instead: a netlist of the FPGA's
cells, with models of the cells for any simulator. `verify --netlist` proves it. It needs
  pip install systolith[synth]
  systolith verilog --rows 2 --cols 2 --scratchpad 4K --device ecp5-25f -o netlist.v""",
    "synth": """\
Place and route an engine on an FPGA and write its bitstream: clock, cells, and what limits the clock.
Options of the engine have the device's own defaults. Nothing of a vendor is needed, only
  pip install systolith[synth]

--device: the engine alone, behind four pins. With --freq the exit status is 1 if the median of the
seeds is slower, and the path that limits is named. --board: the engine with its memory on the chip and a
serial link (docs/boards.md), at the clock of the board's oscillator. Boards with an FPGA of Xilinx become
Vivado projects. Results are kept: what was done once takes seconds.

examples:
  systolith synth --device ecp5-25f --rows 2 --cols 4 --scratchpad 8K -o engine.bit
  systolith synth --device ecp5-85f --rows 8 --cols 8 --freq 150 --seeds 5 --json
  systolith synth --board ulx3s-85f --program net.program -o net.bit""",
    "verify": """\
Compare every layer's output codes in all models: integer reference, ONNX Runtime on DIR/qdq.onnx,
instruction-set simulator, and the engine's RTL in Verilator. Each image runs alone, then all of
them back to back. Exit status 1 on any mismatch or engine error, and the first place is named.
The first run for an engine builds its simulation, which takes about a minute.

examples:
  systolith verify net.q --images test.npz --count 2 --rows 8 --cols 8
  systolith verify net.q --images test.npz --program net.program --verilog engine.v --json""",
    "demo": """\
The whole path on the network and images of the package (Fashion-MNIST). Quantizes to 8 bits,
evaluates, compiles for an 8x8 array, runs two images in RTL, compares every layer, and draws
DIR/demo.png.

example:
  systolith demo -o demo-out""",
}
