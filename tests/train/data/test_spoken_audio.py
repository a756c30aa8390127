"""Tests of spoken digits as audio: files of a tone, and the spikes that a cochlea makes of them."""

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train import load_data
from spiker_train.data.spoken_audio import (
    cochlea,
    frequencies,
    spoken_audio,
    spoken_audio_recordings,
)

from support.reader_targets import wave_file

TONES = {"3_ann_0": 1600, "3_ann_7": 800, "10_ann_7": 8, "1_zoe_5": 2400, "1_zoe_4": 2403}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "recordings").mkdir()
    for name, samples in TONES.items():
        (tmp_path / "recordings" / f"{name}.wav").write_bytes(wave_file(samples))
    return tmp_path


def test_recordings_are_in_the_order_of_their_names(folder):
    sound = spoken_audio(folder, check=False)
    assert sound.names == ("ann", "zoe")
    assert list(zip(sound.labels, sound.speakers, sound.takes, strict=True)) == [
        (1, 1, 4), (1, 1, 5), (3, 0, 0), (3, 0, 7)
    ]  # fmt: skip
    assert [len(audio) for audio in sound.audio] == [2403, 2400, 1600, 800]
    assert sound.audio[0][:3].tolist() == [0, 3048, 5736]
    again = spoken_audio(folder / "recordings", check=False)
    assert again.digest == sound.digest


def test_archive_has_the_recordings_of_the_files(folder):
    sound = spoken_audio(folder, check=False)
    order = [2, 0, 3, 1]
    np.savez(
        folder / "fsdd_audio.npz",
        audio=np.concatenate([sound.audio[n] for n in order]),
        offset=np.cumsum([0, *(len(sound.audio[n]) for n in order)]),
        label=sound.labels[order],
        speaker=sound.speakers[order],
        take=sound.takes[order],
        rate=8000,
    )
    archive = spoken_audio(folder / "fsdd_audio.npz", check=False)
    assert archive.names == ("george", "jackson")
    for own, other in zip(archive.audio, sound.audio, strict=True):
        np.testing.assert_array_equal(own, other)
    assert archive.digest != sound.digest  # by the names of the speakers


def test_other_recordings_than_those_published_are_refused(folder):
    with pytest.raises(FileError, match=r"must have the 3000 recordings that are published, not 4"):
        spoken_audio(folder)


def test_published_recordings_are_found(monkeypatch, folder):
    monkeypatch.setattr(
        "spiker_train.data.spoken_audio.PUBLISHED_AUDIO", spoken_audio(folder, check=False).digest
    )
    monkeypatch.setattr("spiker_train.data.spoken_audio.places", lambda: [folder])
    data = load_data("fsdd_audio")
    assert (data.name, data.size, data.dt, data.steps) == ("fsdd_audio", 128, 0.01, 64)
    assert data.y_train.tolist() == data.y_test.tolist() == [1, 3]


def test_tone_makes_the_filters_near_it_fire_the_most():
    tone = 9000 * np.sin(np.arange(4000) * 2 * np.pi * 440 / 8000)
    spikes = cochlea([tone.astype(np.int16)], 32)
    counts = np.bincount(spikes.flat, minlength=32)
    assert abs(counts.argmax() - np.abs(frequencies(32) - 440).argmin()) <= 1
    assert counts[-8:].sum() == 0
    assert spikes.durations.tolist() == [500]
    assert spikes.ticks.max() < 500
    louder = cochlea([(3 * tone).astype(np.int16)], 32)
    np.testing.assert_array_equal(louder.ticks, spikes.ticks)


def test_frequencies_are_equally_spaced_by_bandwidth():
    centres = frequencies(4)
    assert centres[[0, -1]] == pytest.approx([80, 3800])
    spacing = np.diff(21.4 * np.log10(1 + 0.00437 * centres))
    assert spacing == pytest.approx(spacing[0])


def test_cell_fires_by_hand(monkeypatch):
    module = "spiker_train.data.spoken_audio"
    monkeypatch.setattr(f"{module}._drive", lambda *args: np.array([[4.0, 0], [1, 0], [7, 0]]))
    # Gain over the mean of 4: 1 fires and leaves 0; 0.25; 0.905 * 0.25 + 1.75 fires.
    spikes = cochlea([np.zeros(24, np.int16)], 2, gain=1.0)
    assert list(zip(spikes.ticks, spikes.flat, strict=True)) == [(0, 0), (2, 0)]


def test_silence_has_no_spikes():
    spikes = cochlea([np.zeros(100, np.int16), np.zeros(3, np.int16)], 4)
    assert len(spikes.ticks) == 0
    assert spikes.durations.tolist() == [12, 1]


@pytest.mark.parametrize(
    "data, message",
    [
        (
            wave_file(rate=16000),
            "must have 1 channel of 2 bytes at 8000 samples a second, not 1 of",
        ),
        (wave_file(0), r"must have 1..1048576 samples, not 0"),
        (wave_file()[:-3], "must have 40 samples, not 38"),
        (wave_file()[:30], "must be a WAVE file of PCM"),
        (b"ID3 and so on", "must be a WAVE file of PCM"),
    ],
    ids=["rate", "empty", "cut", "no data", "other"],
)
def test_other_files_are_refused(data, message, folder):
    (folder / "recordings" / "3_ann_1.wav").write_bytes(data)
    with pytest.raises(FileError, match=message):
        spoken_audio(folder, check=False)


def test_missing_recordings_are_refused_with_their_place(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"must have recordings such as 7_jackson_32\.wav"):
        spoken_audio(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"must be at .*none, and are not there"):
        spoken_audio(tmp_path / "none")
    monkeypatch.setattr("spiker_train.data.spoken_audio.places", lambda: [tmp_path])
    with pytest.raises(
        FileNotFoundError, match=r"Spoken digits must be in one of .* into a folder"
    ):
        spoken_audio_recordings()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"channels": 0}, "Channels must be at least 1, not 0"),
        ({"rate": 8050}, "Rate must be a multiple of 1000 samples in a second, not 8050"),
        ({"gain": 0}, "Gain must be a positive number, not 0"),
    ],
)
def test_bad_cochleas_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cochlea([np.zeros(80, np.int16)], **arguments)
