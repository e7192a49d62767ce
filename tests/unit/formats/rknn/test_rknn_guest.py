"""What goes between us and the toolkit's process, and what is understood of what the toolkit prints."""

import io

import numpy as np
import pytest

from converter.formats.rknn.guest import failure, layers_in_int8, marked, operators, read_message, said, write_message

# as rknn-toolkit2 2.5.0 prints it
PRINTED = (
    "\x1b[1;33mW\x1b[0m \x1b[1;33mload_onnx: The config.mean_values is None, zeros will be set for input 0!\x1b[0m\n"
    "I OpFusing 0:   0%|         | 0/100 [00:00<?, ?it/s]\rI OpFusing 0: 100%|█████| 100/100 [00:00<00:00, 222.2it/s]\n"
    "\x1b[1;31mE\x1b[0m \x1b[1;31mbuild: Current target_platform(rv1106) not support do_quantization = False!\x1b[0m\n"
    "D RKNN: [21:57:40.630] 0    InputOperator      FLOAT16  CPU    \\              (1,3,288,288)  0/0/0  0  Input"
    "Operator:x\n"
    "D RKNN: [21:57:40.630] 1    ConvExSwish        FLOAT16  NPU    (1,3,9,9)  (1,16,4,4)  1/2/2  488  Conv:/f/c\n"
    "D RKNN: [21:57:40.630] 7    Gather             FLOAT16  CPU    (1,96,8,8)  (1,96,8,8)  0/0/0  9  Gather:/h/g\n"
    "W RKNN: [22:12:35.683] Warning: Tensor /t/a need parameter qtype, type is set to float16 by default!\n"
    "W RKNN: [22:12:36.001] Warning: Tensor /t/a need parameter qtype, type is set to float16 by default!\n"
)


def test_a_message_comes_out_as_it_went_in():
    stream = io.BytesIO()
    arrays = {"z": np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3), "header": np.float32([1.5])}
    write_message(stream, {"call": "infer", "mean": None}, arrays)
    stream.seek(0)
    header, read = read_message(stream)
    assert header == {"call": "infer", "mean": None}
    assert {name: (each.dtype, each.tolist()) for name, each in read.items()} == {
        name: (each.dtype, each.tolist()) for name, each in arrays.items()
    }


def test_half_a_message_is_an_end():
    stream = io.BytesIO()
    write_message(stream, {"call": "hello"})
    with pytest.raises(EOFError):
        read_message(io.BytesIO(stream.getvalue()[:-1]))


def test_something_else_is_no_message():
    with pytest.raises(ValueError, match="bytes"):
        read_message(io.BytesIO(b"Traceback (most recent call last)"))


def test_colours_and_progress_bars_are_left_out():
    lines = said(PRINTED)
    assert not any("\x1b" in line or "it/s" in line for line in lines)
    assert lines[1] == "E build: Current target_platform(rv1106) not support do_quantization = False!"


def test_errors_and_warnings_are_found_each_once_and_without_the_time():
    lines = said(PRINTED)
    assert marked(lines, "E") == ["build: Current target_platform(rv1106) not support do_quantization = False!"]
    assert marked(lines, "W") == [
        "load_onnx: The config.mean_values is None, zeros will be set for input 0!",
        "Warning: Tensor /t/a need parameter qtype, type is set to float16 by default!",
    ]


def test_an_error_is_one_whatever_code_comes_with_it():
    wrong = ["W RKNN: [21:57:40.630] w", "E RKNN: [21:57:40.630] REGTASK: The bit width exceeds the limit"]
    assert failure("build", "", wrong) == "build failed (and returned 0): REGTASK: The bit width exceeds the limit"
    assert failure("build", "returned -1", []) == "build failed (returned -1)"
    assert failure("build", "", wrong[:1]) is None


def test_what_stands_around_an_error_is_none_and_neither_is_an_operator_on_the_cpu():
    around = ["E rknn-toolkit2 version: 2.5.0", "E build: the cause", "E Traceback (most recent call last):"]
    assert failure("build", "returned -1", around) == "build failed (returned -1): build: the cause"
    assert failure("build", "", ["E RKNN: [04:04:35.122] Unkown op target: 0"]) is None


def test_layers_in_int8_are_counted_and_nothing_else_in_int8():
    row = "D RKNN: [21:57:40.630] {}    {}      {}  NPU    (1,16,9,9)  (1,16,4,4)  1/2/2  488  {}:/f/c"
    kinds = [("Conv", "INT8"), ("ConvRelu", "INT8"), ("Conv", "FLOAT16"), ("Relu", "INT8"), ("exDataConvert", "INT8")]
    table = [row.format(number, kind, of, kind) for number, (kind, of) in enumerate(kinds)]
    table.append(f"{row.format(9, 'Conv', 'INT8', 'Conv')}/GlobalAveragePool_2conv0")
    assert layers_in_int8(table) == 2
    assert layers_in_int8(said(PRINTED)) == 0


def test_operators_are_found_but_for_inputs_and_outputs_and_where_each_runs():
    assert operators(said(PRINTED)) == (["ConvExSwish"], ["Gather /h/g"])
