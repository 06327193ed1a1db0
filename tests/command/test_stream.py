"""Answers on stdout while they are written: in pieces, in the end what stands there without."""

import io

import pytest
from tests import eight

from tuwen import cli, registry
from tuwen.command import _ask
from tuwen.command._stream import Stream

WAYS = (["--beam", "1"], ["--method", "sampling", "--seed", "3"], ["--method", "contrastive"])


class Pieces(io.StringIO):
    """Keeps each piece that is shown: what stands between two flushes."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def flush(self):
        self.shown.append(self.getvalue()[sum(map(len, self.shown)) :])


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: eight.model())
    eight.write_pictures(tmp_path / "photos", captions=False)
    return tmp_path / "photos"


def ask(capsys, *arguments):
    status = cli.main(["caption", "m", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_only_what_is_new_is_shown():
    stream = Stream(out := Pieces())
    stream.begin("a.png: ")
    stream.tell(0, "a")
    stream.tell(0, "a red")
    stream.end("a red thing\ufffd")  # half a letter at the end is nothing that was told
    stream.begin("b.png: ")
    stream.end("")
    stream.close()
    assert out.shown == ["a.png: a", " red", " thing\ufffd\n", "b.png: \n"]


def test_what_turns_out_otherwise_stands_on_a_line_of_its_own():
    stream = Stream(out := Pieces())
    stream.begin("")
    stream.tell(0, "a rod")
    stream.end("a red")
    assert out.getvalue() == "a rod\na red\n"


def test_a_line_that_is_broken_off_is_ended():
    stream = Stream(out := Pieces())
    stream.begin("a.png: ")
    stream.close()
    assert out.getvalue() == ""
    stream.tell(0, "a red")
    stream.close()
    assert out.getvalue() == "a.png: a red\n"


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_in_the_end_it_is_what_stands_there_without(capsys, photos, way):
    for asked in ([photos / "red.png"], [photos], [photos / "red.png", "--prompt", "this", "--max-tokens", 1]):
        plain = ask(capsys, *asked, *way)
        assert plain[0] == 0 and ask(capsys, *asked, *way, "--stream") == plain


def test_words_come_one_after_the_other(capsys, photos, monkeypatch):
    monkeypatch.setattr("sys.stdout", out := Pieces())
    assert cli.main(["caption", "m", str(photos / "red.png"), str(photos / "blue.png"), "--beam", "1", "--stream"]) == 0
    shown = [piece for piece in out.shown if piece]
    lines = out.getvalue().splitlines()
    assert len(shown) >= 6 and shown[0].startswith(f"{photos}/red.png: ") and not shown[0].endswith("\n")
    assert len(lines) == 2 and "red" in lines[0].partition(": ")[2] and lines[1].startswith(f"{photos}/blue.png: ")


def test_a_picture_that_cannot_be_read(capsys, photos):
    (photos / "broken.png").write_bytes(b"no picture at all")
    for more in ([], ["--on-error", "skip"]):
        plain = ask(capsys, photos, "--beam", "1", *more)
        assert "broken.png cannot be read" in plain[2] and "broken" not in plain[1]
        assert ask(capsys, photos, "--beam", "1", *more, "--stream") == plain


def test_interrupted_the_line_ends(capsys, photos, monkeypatch):
    caption = registry.get("task", "caption")
    run = caption.run

    def interrupted(model, requests, *, emit):
        def stop(number, text):
            emit(number, text)
            if len(text.split()) == 2:
                raise KeyboardInterrupt

        return run(model, requests, emit=stop)

    monkeypatch.setattr(caption, "run", interrupted)
    status, out, err = ask(capsys, photos / "red.png", "--beam", "1", "--stream")
    assert (status, err) == (130, "interrupted\n") and out.endswith("\n") and len(out.split()) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            (),
            "method=beam is sure of them only when the caption is done. Add --beam 1, or --method contrastive, greedy or",
        ),
        (("--method", "mbr"), "--stream shows words as they are written, and method=mbr is sure of them only when"),
        (("--beam", "1", "--min-confidence", "0.5"), "what --min-confidence gives is known only at its end. Leave out"),
        (
            ("--method", "sampling", "--best", "2"),
            "and what --best gives is known only at its end. Leave out --best, or",
        ),
        (("--method", "sampling", "--samples", "4", "--rerank"), "what --samples and --rerank give is known only at"),
        (("--beam", "1", "--json"), "and --json gives each as one whole line; leave one of the two out"),
        (("--beam", "1", "-o", "c.csv"), "--stream shows answers on the terminal, and -o c.csv writes them into files"),
        (("--beam", "1", "-o", "c.png"), "and -o c.png writes them into files; leave one of the two out"),
    ],
)
def test_what_cannot_be_shown_is_said_before_the_model_is_opened(capsys, photos, monkeypatch, options, message):
    monkeypatch.setattr(_ask, "open_model", lambda *_, **more: pytest.fail("the model was opened for nothing"))
    status, out, err = ask(capsys, photos / "red.png", "--stream", *options)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1


def test_only_verbs_that_write_have_the_option(capsys, photos):
    assert cli.main(["match", "m", str(photos / "red.png"), "--text", "a", "--stream"]) == 2
    assert "--stream" in capsys.readouterr().err
