"""`tuwen evaluate`: a model on data, or captions of any system against references."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests import drawing, eight
from tests.metric._java import java

from tuwen import cli
from tuwen.command import _ask, _measure, _read
from tuwen.command.evaluate import Request, run, show
from tuwen.directory import save
from tuwen.errors import CannotError, CheckpointError, ConfigError, DataError, TuwenError
from tuwen.objective import clip_guidance


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: eight.model())
    eight.write_pictures(tmp_path / "photos")
    return str(tmp_path / "photos")


def test_a_model(data, tmp_path):
    """All eight stand in one part or another; asked for one after the other they are all of them."""
    parts = [next(run(Request(model="m", data=data, split=split, beam=1))) for split in ("train", "val", "test")]
    assert sum(part.num for part in parts) == 8
    train = parts[0]
    assert train.figures["bleu_1"] > 0.99 and train.chance["i2t_r1"] == pytest.approx(1 / train.num)
    assert train.intervals["bleu_1"][1] <= 1 + 1e-9


def test_rows_and_report(data, tmp_path):
    out = tmp_path / "deep" / "report.json"
    [response] = run(Request(model="m", data=data, split="train", rows=3, beam=1, out=str(out)))
    report = json.loads(out.read_text("utf-8"))
    assert response.num == 3 == len(report["rows"]) and report["figures"] == response.figures
    assert report["rows"][0].keys() == {"key", "caption", "references", "logprob"} and report["split"] == "train"


def test_method(data, tmp_path):
    out = tmp_path / "report.json"
    next(run(Request(model="m", data=data, split="train", rows=3, method="mbr", out=str(out))))
    report = json.loads(out.read_text("utf-8"))
    expected = [eight.model().caption(f"{data}/{row['key']}", method="mbr").caption for row in report["rows"]]
    assert report["method"] == "mbr" and [row["caption"] for row in report["rows"]] == expected
    with pytest.raises(ConfigError, match="method is 'mrb'. Did you mean 'mbr'"):
        next(run(Request(model="m", data=data, method="mrb")))
    with pytest.raises(ConfigError, match="method has no effect with --captions"):
        next(run(Request(captions="a.json", references="b.json", method="mbr")))


def test_page(data, tmp_path):
    out = tmp_path / "deep" / "page.html"
    [response] = run(Request(model="m", data=data, split="train", beam=1, html=str(out)))
    page = out.read_text("utf-8")
    assert page.startswith("<!doctype html>") and "Evaluation of m" in page and "i2t_r1" in page
    assert show(response).endswith(f"{response.num} rows; written to {out}") and response.html == str(out)


def test_table(data):
    [response] = run(Request(model="m", data=data, split="train", beam=1))
    lines = show(response).splitlines()
    assert lines[0].split() == ["figure", "value", "95", "%", "interval", "chance"]
    bleu = next(line for line in lines if line.startswith("bleu_1"))
    assert " to " in bleu and len(bleu.split()) == 6
    assert lines[-1] == f"{response.num} rows"


def test_options_of_the_verbs_that_answer(data, tmp_path):
    """Captions as `tuwen caption` would write them with the option; the report repeats it."""
    asked = {"model": "m", "data": data, "split": "train", "out": str(tmp_path / "r.json")}
    [usual] = run(Request(**asked))
    usually = json.loads((tmp_path / "r.json").read_text("utf-8"))
    [other] = run(Request(**asked, using=("min-tokens=6", "without=red")))
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert "using" not in usually and report["using"] == ["min-tokens=6", "without=red"]
    said, now = ({row["key"]: row["caption"] for row in some["rows"]} for some in (usually, report))
    assert any("red" in text for text in said.values()) and not any("red" in text for text in now.values())
    assert other.figures["bleu_1"] != usual.figures["bleu_1"]


@pytest.mark.parametrize(
    ("using", "message"),
    [
        ("length_penalty", r"--using length_penalty: it is NAME=VALUE, an option of `tuwen caption` or `tuwen draw`"),
        ("rerank=true", r"--using rerank=true: it is NAME=VALUE.* Options: min_tokens, length_penalty"),
        ("beam=3", "--using beam=3: that is an option of its own here, --beam 3"),
        ("guidance=4", "--using guidance=4: it is NAME=VALUE, an option of .* that this model has"),
        ("length_penalty=much", "--using length_penalty is a number, got 'much'"),
        ("temperature=0.5", "temperature is 0.5, which has no effect with method=beam"),
    ],
)
def test_options_that_cannot_be(data, using, message):
    with pytest.raises(ConfigError, match=message):
        next(run(Request(model="m", data=data, using=(using,))))


def test_settings_of_the_data(data):
    [response] = run(Request(model="m", data=data, split="val", beam=1, set=("data.val=0.5",)))
    assert response.num == 4
    with pytest.raises(ConfigError, match="--set train.lr=1 has no effect here; evaluate takes settings of the data"):
        next(run(Request(model="m", data=data, set=("train.lr=1",))))


def test_pictures_that_cannot_be_read_are_left_out_where_asked(data, tmp_path, monkeypatch):
    """As if they were not there, of the other system too; every picture alone would be other figures of the batches."""
    monkeypatch.setattr(_read, "_ROWS", 3)
    asked = {"model": "m", "data": data, "split": "", "beam": 1}
    photos, out, html = tmp_path / "photos", tmp_path / "r.json", tmp_path / "p.html"
    (tmp_path / "aside").mkdir()
    for name in ("blue.png", "blue.txt", "red.png", "red.txt"):
        (photos / name).rename(tmp_path / "aside" / name)
    [without] = run(Request(**asked))
    for file in (tmp_path / "aside").iterdir():
        (photos / file.name).write_bytes(file.read_bytes()[:60])
    with pytest.raises(DataError, match="blue.png cannot be read as an image: truncated after 60 bytes. Skip such"):
        next(run(Request(**asked)))
    (tmp_path / "other").mkdir()
    skip = {**asked, "set": ("data.on_error=skip",)}
    [response] = run(Request(**skip, against=str(tmp_path / "other"), out=str(out), html=str(html)))
    assert response.num == 6 and response.figures == without.figures and response.intervals == without.intervals
    assert set(response.beside.differences.values()) == {0} and "cider" in response.beside.differences
    [note] = response.notes
    assert note.startswith("2 of 8 rows cannot be read and are left out (blue.png, red.png); the first: ")
    assert note.endswith("photos/blue.png cannot be read as an image: truncated after 60 bytes.")
    report = json.loads(out.read_text("utf-8"))
    assert report["notes"] == [note] and not {"blue.png", "red.png"} & {row["key"] for row in report["rows"]}
    [again] = run(Request(**skip, against=str(out)))
    assert again.beside.differences["cider"] == 0


def test_no_picture_that_can_be_read(data, tmp_path):
    for file in (tmp_path / "photos").glob("*.png"):
        file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(DataError, match="none of 8 rows can be read; the first: .*black.png cannot be read as an im"):
        next(run(Request(model="m", data=data, split="", set=("data.on_error=skip",))))


def test_rows_that_lack_a_field_are_said(data, tmp_path):
    for name in ("blue", "red", "green"):
        (tmp_path / "photos" / f"{name}.txt").unlink()
    [response] = run(Request(model="m", data=data, split="", beam=1))
    assert response.num == 8 and response.notes == (
        "3 of 8 rows have no text; figures that need one are of the others",
    )
    for file in (tmp_path / "photos").glob("*.txt"):
        file.unlink()
    [response] = run(Request(model="m", data=data, split="", beam=1))
    assert response.notes == ("none of 8 rows has a field text; figures that need one are not there",)
    assert "cider" not in response.figures and "distinct_captions" in response.figures


def test_the_limit_of_pixels_is_the_users(data):
    with pytest.raises(DataError, match="the limit is 100"):
        next(run(Request(model="m", data=data, split="", beam=1, set=("data.max_pixels=100",))))


def test_captions_in_a_file_are_no_match_for_a_model_without_any(data, tmp_path, monkeypatch):
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: eight.classifier())
    with pytest.raises(ConfigError, match="r.json would compare captions, and m writes none; name the other model"):
        next(run(Request(model="m", data=data, against=str(tmp_path / "r.json"))))


def test_what_no_row_alone_is_to_blame_for_is_said(data, monkeypatch):
    """Sounds of two rates in one batch, say: there is no row that could be left out."""
    whole = eight.model().batch

    def batch(samples, **more):
        if len(samples) > 1:
            raise DataError("they do not go together")
        return whole(samples, **more)

    model = eight.model()
    monkeypatch.setitem(vars(model), "batch", batch)
    with pytest.raises(DataError, match="they do not go together"):
        next(run(Request(model="m", data=data, split="", set=("data.on_error=skip",))))


def test_captions_of_any_system(tmp_path, capsys):
    (tmp_path / "r.json").write_text(
        json.dumps([{"image_id": 1, "caption": "a dog runs"}, {"image_id": 2, "caption": "a cat sits"}])
    )
    (tmp_path / "refs.json").write_text(json.dumps({"1": ["a dog runs fast"], "2": ["a cat sits"]}))
    arguments = [
        "evaluate",
        "--captions",
        str(tmp_path / "r.json"),
        "--references",
        str(tmp_path / "refs.json"),
        "--json",
    ]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    # 6 of 6 words are right; 6 words against 7: exp(1 - 7 / 6)
    assert found["figures"]["bleu_1"] == pytest.approx(0.8465, abs=1e-3) and found["num"] == 2
    assert found["chance"]["bleu_1"] < 0.5 and "cider" in found["intervals"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "evaluate takes MODEL and DATA, or --captions FILE --references FILE: tuwen evaluate model photos/"),
        ({"model": "m"}, "evaluate takes MODEL and DATA"),
        ({"captions": "a.json"}, "--captions and --references go together"),
        ({"model": "m", "data": "x", "beam": 0}, "beam is 0"),
        ({"model": "m", "data": "x", "best": 6}, "best is 6 and beam is 5; best is at most beam"),
        (
            {"model": "m", "data": "x", "calibrate": True},
            "--calibrate would fit on the rows of the part 'test', which figur",
        ),
        (
            {"model": "m", "data": "x", "calibrate": True, "split": "train"},
            "'train', which the model has learned; take the",
        ),
        (
            {"model": "m", "data": "x", "calibrate": True, "split": ""},
            "--calibrate would fit on all rows, of which the model has learned some; take the validation part: --split val",
        ),
        (
            {"captions": "a", "references": "b", "calibrate": True},
            "--calibrate has no effect with --captions, which are scored without a model; leave it out.",
        ),
        (
            {"captions": "a", "references": "b", "gallery": 9},
            "--gallery has no effect with --captions, which are sco",
        ),
        ({"captions": "a", "references": "b", "max_tokens": 9}, "--max-tokens has no effect with --captions"),
        (
            {"captions": "a", "references": "b", "model": "m"},
            "MODEL has no effect with --captions",
        ),
        (
            {"model": "m", "data": "x", "pictures": "p"},
            "--pictures p has no effect on a model, whose pictures are those of DATA",
        ),
        ({"model": "m", "data": "x", "metrics": "recall"}, "--metrics recall scores no captions"),
        ({"model": "m", "data": "x", "clip": "c"}, "--clip c has no effect without a metric that looks at pictures"),
        (
            {"model": "m", "data": "x", "features": "./m"},
            "--features ./m is a model that is judged, which would find in",
        ),
        ({"model": "m", "data": "x", "features": "n", "clip": "m/"}, "--clip m/ is a model that is judged"),
        ({"model": "m", "data": "x", "features": "n", "against": "n"}, "--features n is a model that is judged"),
        (
            {"model": "m", "data": "x", "draws": -1},
            "--draws is -1; give a number of rows, as in --draws 200, or 0 for all",
        ),
        ({"captions": "a", "references": "b", "features": "n"}, "--features has no effect with --captions"),
        ({"out": "a.html"}, "-o a.html would be JSON; a page is written with --html a.html"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ConfigError, match=message):
        next(run(Request(**arguments)))


@pytest.mark.parametrize("option", ["out", "html"])
def test_what_cannot_be_written_is_said_before_anything_is_measured(data, tmp_path, monkeypatch, option):
    monkeypatch.setattr(_measure, "measure_model", lambda request: pytest.fail("measured"))
    (tmp_path / "file").write_text("")
    for place, message in (
        (f"{tmp_path}/new/", "is a folder"),
        (str(tmp_path), "is a folder"),
        (f"{tmp_path}/file/r", "is a file"),
    ):
        with pytest.raises(ConfigError, match=message):
            next(run(Request(model="m", data=data, **{option: place})))


def test_an_empty_part(data):
    with pytest.raises(DataError, match="has no rows in its part 'test'; it has train, val. Name one with --split."):
        next(run(Request(model="m", data=data, split="test", set=("data.test=0",))))


def files(tmp_path, captions, references):
    """Options that name two files with these."""
    (tmp_path / "r.json").write_text(json.dumps([{"image_id": i, "caption": one} for i, one in captions.items()]))
    (tmp_path / "refs.json").write_text(json.dumps(references))
    return {"captions": str(tmp_path / "r.json"), "references": str(tmp_path / "refs.json")}


def test_what_is_odd_in_files_is_said(tmp_path, capsys):
    """An empty caption, and ids of two types: both count, and both are said, on the page and in JSON too."""
    given = files(tmp_path, {1: "a dog runs", 2: ""}, {"1": ["a dog runs fast"], "2": ["a cat sits"]})
    out, html = tmp_path / "out.json", tmp_path / "out.html"
    [response] = run(Request(**given, out=str(out), html=str(html)))
    assert response.num == 2 and len(response.notes) == 2 and response.figures["rouge_l"] < 0.5
    assert (
        "1 captions in" in response.notes[0]
        and "such as 2" in response.notes[0]
        and "ids are numbers" in response.notes[1]
    )
    assert [line for line in show(response).splitlines() if line.startswith("note: ")] == [
        f"note: {n}" for n in response.notes
    ]
    assert json.loads(out.read_text("utf-8"))["notes"] == list(response.notes)
    assert "have no words and score 0" in html.read_text("utf-8")


def test_a_metric_that_cannot_run_ends_it_before_it_begins(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    given = files(tmp_path, {1: "a dog"}, {"1": ["a dog"]})
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    assert cli.main(["evaluate", *arguments, "--metrics", "meteor"]) == 2
    said = capsys.readouterr()
    assert "metric.meteor needs" in said.err and said.out == "" and len(said.err.splitlines()) == 1


def test_pictures_for_a_metric_that_looks(tmp_path):
    eight.write_pictures(tmp_path / "photos", captions=False)
    told = {colour: eight.texts(colour) for colour in eight.COLOURS}
    given = files(tmp_path, {colour: eight.texts(colour)[0] for colour in told}, told)
    asked = {**given, "metrics": "clipscore", "clip": str(eight.directory())}
    with pytest.raises(
        ConfigError, match="--metrics clipscore looks at the pictures; name their folder: --pictures FOL"
    ):
        next(run(Request(**asked)))
    with pytest.raises(ConfigError, match="--pictures p has no effect without a metric that looks at pictures; add"):
        next(run(Request(**given, pictures="p")))
    [response] = run(Request(**asked, pictures=str(tmp_path / "photos")))
    assert response.figures["clipscore"] > response.chance["clipscore"] + 0.5 and "ref_clipscore" in response.intervals


def test_more_captions_copies_and_galleries(data):
    [response] = run(Request(model="m", data=data, split="val", set=("data.val=0.5",), best=3, gallery=2))
    assert 0 < response.figures["mbleu_1"] <= 1 and response.figures["num_galleries"] == 2
    assert response.chance["t2i_r1"] == 0.5 and "i2t_map" in response.intervals and response.figures["commonest"] >= 1
    assert response.figures["copied"] == 0, "no colour stands on both sides"
    [train] = run(Request(model="m", data=data, split="train", beam=1))
    assert "copied" not in train.figures, "of its own rows every model says what it learned"


def test_what_would_fail_at_the_end_fails_before_anything_is_evaluated(data, monkeypatch):
    monkeypatch.setattr(_measure, "_evaluated", lambda *_: pytest.fail("it was evaluated"))
    asked = {"model": "m", "data": data, "split": "val", "set": ("data.val=0.5",)}
    with pytest.raises(DataError, match="4 pictures fill no gallery of 5; give a smaller one, or gallery=0 for all at"):
        next(run(Request(**asked, gallery=5)))
    with pytest.raises(DataError, match="4 captions with references are too few to fit a confidence on; it takes 40"):
        next(run(Request(**asked, calibrate=True)))
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: drawing.model())
    for option, value, task in (("gallery", 2, "match"), ("beam", 1, "caption"), ("metrics", "rouge", "caption")):
        with pytest.raises(CannotError, match=f"not trained to {task}, which --{option} is about; it can: "):
            next(run(Request(**{"model": "m", "data": data, "split": "val", option: value})))


def test_beside_a_report_and_beside_a_model(data, tmp_path, monkeypatch):
    asked = {"model": "m", "data": data, "split": "train", "rows": 4}
    out = tmp_path / "report.json"
    [first] = run(Request(**asked, beam=1, out=str(out)))
    monkeypatch.setattr(
        _ask, "open_model", lambda path, device, **more: eight.model(steps=3) if "other" in path else eight.model()
    )
    [same] = run(Request(**asked, beam=1, against=str(out)))
    assert same.beside.differences["cider"] == 0 and same.beside.figures["cider"] == pytest.approx(
        first.figures["cider"]
    )
    (tmp_path / "other").mkdir()
    [response] = run(Request(**asked, beam=1, against=str(tmp_path / "other"), html=str(tmp_path / "page.html")))
    assert response.beside.differences["rouge_l"] > 0.3 and response.beside.intervals["rouge_l"][0] > 0
    assert {"i2t_r1", "t2i_mean_rank", "nats_per_token"} <= response.beside.differences.keys()
    table = show(response)
    assert f"less {tmp_path / 'other'}" in table and any(line.endswith("sure") for line in table.splitlines())
    assert f"Beside {tmp_path / 'other'}" in (tmp_path / "page.html").read_text("utf-8")


def test_a_metric_that_fails_costs_its_own_figure_only_of_either_system(tmp_path, monkeypatch):
    java(tmp_path, "broken", monkeypatch)
    given = files(tmp_path, {1: "a dog", 2: "a cat"}, {"1": ["a dog runs"], "2": ["the cow"]})
    (tmp_path / "o.json").write_text(
        json.dumps([{"image_id": 1, "caption": "x"}, {"image_id": 2, "caption": "the cow"}])
    )
    other = str(tmp_path / "o.json")
    [response] = run(Request(**given, metrics="meteor", against=other))
    mine, theirs = [note for note in response.notes if "meteor gives no figure" in note]
    assert mine.startswith("meteor") and theirs.startswith(f"{other}: meteor gives no figure: metric.meteor: its Java")
    assert "bleu_1" in response.beside.differences and "meteor" not in response.beside.figures


def test_notes_of_another_model_are_not_lost(data, tmp_path, monkeypatch):
    java(tmp_path, "broken", monkeypatch)
    (tmp_path / "other").mkdir()
    asked = {"model": "m", "data": data, "split": "train", "rows": 3, "beam": 1, "metrics": "meteor"}
    [response] = run(Request(**asked, against=str(tmp_path / "other")))
    assert [note.split(" gives")[0] for note in response.notes] == ["meteor", f"{tmp_path / 'other'}: meteor"]
    assert response.beside.differences["bleu_1"] == 0


def test_calibrating(data, tmp_path, monkeypatch):
    from tuwen import confidence
    from tuwen.directory import load

    monkeypatch.setattr(confidence, "LEAST", 1)
    save(eight.model(), tmp_path / "model")
    for colour in list(eight.COLOURS)[::2]:  # what the model says of every second picture is wrong now
        (tmp_path / "photos" / f"{colour}.txt").write_text("nothing of that kind\n")
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: load(path))
    asked = {"model": str(tmp_path / "model"), "data": data, "split": "val", "set": ("data.test=0", "data.val=0.99")}
    [response] = run(Request(**asked, calibrate=True, out=str(tmp_path / "r.json")))
    assert response.calibration == str(tmp_path / "model" / "calibration.json") and "calibration.json" in show(response)
    assert response.figures["confidence_ece"] <= 1 and "fitted on the other half of these rows" in response.notes[0]
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert len(report["tables"]["reliability"]) and 0 <= report["rows"][0]["confidence"] <= 1
    [again] = run(Request(**asked))
    assert "confidence_ece" in again.figures and load(tmp_path / "model").confidence.num == response.num


def test_drawings_are_of_models_that_draw(data):
    for asked in ({"features": "n"}, {"draws": 3}):
        with pytest.raises(
            CannotError, match="was not trained to draw, which --[a-z]+ is about; it can: caption.* -r flow` tra"
        ):
            next(run(Request(model="m", data=data, **asked)))


@pytest.fixture
def drawings(tmp_path, monkeypatch):
    """A folder of twenty plain pictures, and the model that draws them."""
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: drawing.model())
    for i in range(20):
        for one in eight.samples():
            pixels = one.fields["image"] // 2 + np.uint8(5 * i)
            name = tmp_path / "photos" / f"{one.key}{i}.png"
            name.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(name)
            name.with_suffix(".txt").write_text(f"a {one.key} picture {i}")
    save(eight.classifier(), tmp_path / "classifier")
    return {"model": "m", "data": str(tmp_path / "photos"), "set": ("data.test=0.3",), "device": "cpu"}


def test_drawn_pictures_beside_real_ones(drawings, tmp_path):
    out, html = tmp_path / "r.json", tmp_path / "p.html"
    asked = {**drawings, "features": str(tmp_path / "classifier"), "clip": str(eight.directory()), "draws": 24}
    [response] = run(Request(**asked, out=str(out), html=str(html)))
    figures = response.figures
    assert figures["fid"] > 3 * figures["fid_real"] and figures["kid"] > figures["kid_real"], "it has learned nothing"
    assert figures["sample_recall"] < figures["sample_recall_real"] and figures["memorised_real"] <= 0.05
    assert response.chance["r_precision"] == 1 / 24 and figures["r_precision_real"] > 2 / 24
    assert "sample_recall" in response.intervals and any(
        "fid is of 24 pictures in 256 features" in n for n in response.notes
    )
    rows = [row for row in json.loads(out.read_text("utf-8"))["rows"] if "sample" in row]
    assert len(rows) == 24 and rows[0]["sample"].keys() == {"text", "seed", "nearest", "nearer", "fits"}
    page = html.read_text("utf-8")
    assert (
        "Drawn pictures" in page and "nearest training picture" in page and "% of the real pictures are nearer" in page
    )


def test_training_rows_are_not_compared_with_themselves(drawings, tmp_path):
    asked = {**drawings, "features": str(tmp_path / "classifier"), "draws": 16, "split": "train"}
    [response] = run(Request(**asked))
    assert "fid" in response.figures and "memorised" not in response.figures


def test_a_page_without_a_network_shows_the_first_ones(drawings, tmp_path):
    [response] = run(Request(**drawings, html=str(tmp_path / "p.html")))
    assert "fid" not in response.figures and "Of the first 12 rows." in (tmp_path / "p.html").read_text("utf-8")


def test_what_is_read_is_not_replaced(data, tmp_path):
    given = {"captions": str(tmp_path / "c.json"), "references": str(tmp_path / "r.json")}
    for more in ({"out": given["captions"]}, {"html": f"{tmp_path}/../{tmp_path.name}/r.json"}):
        with pytest.raises(ConfigError, match="json would be replaced, and is read; name another file"):
            next(run(Request(**given, **more)))
    with pytest.raises(ConfigError, match="a.json would be replaced, and is read"):
        next(run(Request(model="m", data=data, out="a.json", html="a.json")))


def test_what_it_is_compared_with_is_read_before_minutes_are_spent(data, tmp_path, monkeypatch):
    def opened(path, device, **more):
        if path != "m":
            raise CheckpointError(f"there is no model directory {path}")
        return eight.model()

    monkeypatch.setattr(_ask, "open_model", opened)
    monkeypatch.setattr(_measure, "_evaluated", lambda *some: pytest.fail("the model is judged first"))
    for wrong, said in (
        (str(tmp_path / "none.json"), "none.json"),
        (str(tmp_path / "none"), "there is no model directory"),
    ):
        with pytest.raises(TuwenError, match=said):
            next(run(Request(model="m", data=data, split="train", against=wrong)))


def test_what_a_model_learned_to_please_is_no_judge_of_it():
    """The source of an objective, in another spelling; of drawn pictures only."""
    guided = SimpleNamespace(recipe=SimpleNamespace(objective={"guide": clip_guidance.Config(source="guide")}))
    for asked in ({"features": "./guide/"}, {"features": "other", "clip": "guide"}):
        with pytest.raises(ConfigError, match=r"guide/? took part in the training of a model that is judged"):
            _measure._check_guides(Request(model="m", data="x", **asked), [guided])
    _measure._check_guides(Request(model="m", data="x", features="other"), [guided])
    _measure._check_guides(Request(model="m", data="x", clip="guide"), [guided])
