"""Films written by any encoder that PyAV brings, with the sound of the film they are made of."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from benchmark.runtime.files import replacing
from benchmark.user_input import InputError, did_you_mean
from benchmark.video.source import first_time, video_stream

Shown = Sequence[tuple[Fraction, int]]
"""When, in seconds from 0, which picture is shown, by its number."""

Packets = Iterator[tuple[Fraction, "Packet[AudioStream]"]]
"""Of sound, each with when it begins."""

DEFAULT_CODEC = "h264"

QUALITY = {"libx264": "18", "libx265": "20", "libvpx-vp9": "24", "libsvtav1": "24"}
"""Constant rate factors of encoders that have one: hardly to be told from what was painted."""

BITS_PER_PIXEL = 0.3
"""Of encoders that have none."""

FINE = Fraction(1, 90_000)
"""Seconds, to which times are rounded where frames are shown for different times."""


@dataclass(frozen=True)
class Sound:
    """The sound of a film from a time on, in seconds after its first frame."""

    film: Path
    begin: Fraction


def check_writable(option: str, file: Path, codec: str, sides: tuple[int, int]) -> None:
    """Encode a blank frame to nowhere.

    Raises:
        InputError: there is no such encoder here, no such container, or the one cannot hold the
            other; for the container it names the option.
    """
    encoders = sorted(name for name in av.codecs_available if _is_encoder(name))
    if codec not in encoders:
        reason = f"there is no such video encoder.{did_you_mean(codec, encoders)}"
        raise InputError(f"{reason} Usual ones: h264, hevc, vp9, av1, ffv1", "--codec", codec)
    with TemporaryDirectory() as folder:
        trial = Path(folder, f"trial{file.suffix}")
        try:
            with av.open(str(trial), "w") as container:
                if container.format.name.startswith("image"):
                    raise ValueError
        except ValueError as error:
            reason = "its ending is of no film format: use .mp4, .mkv, .webm or .mov"
            raise InputError(reason, option, str(file)) from error
        try:
            with av.open(str(trial), "w") as container:
                stream = _video_stream(container, codec, sides, Fraction(25), Fraction(1, 25))
                container.mux(stream.encode(_frame(np.zeros((*sides, 3), "uint8"), stream)))
                container.mux(stream.encode(None))
        except (av.FFmpegError, ValueError) as error:
            reason = f"{file.suffix} cannot hold it, or it does not run here ({error})"
            raise InputError(reason, "--codec", codec) from error


def write_film(
    file: Path,
    picture: Callable[[int], np.ndarray],
    shown: Shown,
    duration: Fraction,
    codec: str = DEFAULT_CODEC,
    sound: Sound | None = None,
) -> str:
    """Write a film whole or not at all; returns what became of the sound, a note or nothing.

    `picture` gives those shown, uint8 (H, W, 3) with even sides, by their numbers. The sound is
    copied where the container can hold it as it is, else encoded anew.

    Raises:
        OSError: there is no room, or no permission.
    """
    note = ""
    with replacing(file) as part:
        try:
            note = _write(part, picture, shown, duration, codec, sound, copies=True)
        except av.FFmpegError as error:
            if sound is None or error.errno == errno.ENOSPC:
                raise
            note = _write(part, picture, shown, duration, codec, sound, copies=False)
    return note


def _write(
    file: Path,
    picture: Callable[[int], np.ndarray],
    shown: Shown,
    duration: Fraction,
    codec: str,
    sound: Sound | None,
    *,
    copies: bool,
) -> str:
    note, number, last = "", -1, None
    with ExitStack() as stack:
        container = stack.enter_context(av.open(str(file), "w"))
        rate, base = _clock(shown, duration, container)
        first = picture(shown[0][1])
        stream = _video_stream(container, codec, first.shape[:2], rate, base)
        packets: Packets = iter(())
        if sound:
            source = stack.enter_context(av.open(str(sound.film)))
            found = source.streams.best("audio")
            if isinstance(found, AudioStream):
                begin = first_time(video_stream(source)) + sound.begin
                packets, note = _sound(container, found, begin, duration, copies=copies)
        waiting = next(packets, None)
        latest = -1
        for time, wanted in shown:
            while waiting and waiting[0] <= time:
                container.mux(waiting[1])
                waiting = next(packets, None)
            if wanted != number or last is None:
                number, last = wanted, picture(wanted)
            frame = _frame(last, stream)
            latest = max(round(time / base), latest + 1)
            frame.pts, frame.time_base = latest, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        while waiting:
            container.mux(waiting[1])
            waiting = next(packets, None)
    return note


def _clock(
    shown: Shown, duration: Fraction, container: OutputContainer
) -> tuple[Fraction, Fraction]:
    """Frames a second on average, and the unit of their times."""
    rate = (len(shown) / duration).limit_denominator(1001)
    is_even = all(
        abs(time - number / rate) < Fraction(1, 1000) for number, (time, _) in enumerate(shown)
    )
    variable = av.format.Flags.variable_fps in av.format.Flags(container.format.flags)
    return rate, 1 / rate if is_even or not variable else FINE


def _video_stream(
    container: OutputContainer, codec: str, sides: Sequence[int], rate: Fraction, base: Fraction
) -> VideoStream:
    stream = container.add_stream(codec, rate=rate)
    if not isinstance(stream, VideoStream):
        raise ValueError("is no video codec")
    context = stream.codec_context
    stream.height, stream.width = sides
    formats = [one.name for one in context.codec.video_formats or ()]
    stream.pix_fmt = "yuv420p" if "yuv420p" in formats or not formats else formats[0]
    context.time_base = base
    quality = QUALITY.get(context.codec.name)
    if quality:
        context.options = {"crf": quality}
        context.bit_rate = 0
    else:
        context.bit_rate = int(BITS_PER_PIXEL * sides[0] * sides[1] * rate)
    if stream.pix_fmt.startswith("yuv"):
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def _frame(picture: np.ndarray, stream: VideoStream) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    pixels = stream.pix_fmt or ""
    if not pixels.startswith("yuv"):
        return frame.reformat(format=pixels)
    return frame.reformat(
        format=pixels, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )


def _sound(
    container: OutputContainer,
    source: AudioStream,
    begin: Fraction,
    duration: Fraction,
    *,
    copies: bool,
) -> tuple[Packets, str]:
    """The packets of the part of a sound, each with when it begins; and a note about it."""
    known = source.codec_context.codec.canonical_name
    if copies and known in container.supported_codecs:
        return _copied(container.add_stream_from_template(source), source, begin, duration), ""
    name = container.default_audio_codec
    if name == "none":
        return iter(()), "without the sound, which such a file cannot have"
    rates = av.codec.Codec(name, "w").audio_rates or [source.rate]  # Opus has few.
    rate = source.rate if source.rate in rates else max(rates)
    stream = container.add_stream(name, rate=rate)
    assert isinstance(stream, AudioStream)
    stream.layout = _layout(source.layout.nb_channels)
    note = f"the sound was {known}, which such a file cannot hold: it is {name} now"
    return _encoded(stream, source, begin, duration), note


def _copied(
    stream: AudioStream, source: AudioStream, begin: Fraction, duration: Fraction
) -> Packets:
    base = Fraction(source.time_base or 1)
    for packet in source.container.demux(source):  # type: ignore[attr-defined]
        if packet.pts is None or packet.dts is None:
            continue
        time = packet.pts * base - begin
        if time >= duration:
            return
        if time + (packet.duration or 0) * base > 0:
            packet.pts -= round(begin / base)
            packet.dts -= round(begin / base)
            packet.stream = stream
            yield time, packet


def _encoded(
    stream: AudioStream, source: AudioStream, begin: Fraction, duration: Fraction
) -> Packets:
    context, base = stream.codec_context, Fraction(1, stream.rate)
    first = next((one.name for one in context.codec.audio_formats or ()), "fltp")
    resampler = av.AudioResampler(format=first, layout=stream.layout.name, rate=stream.rate)
    done = Fraction(0)
    for frame in source.container.decode(source):  # type: ignore[attr-defined]
        time = (frame.pts or 0) * Fraction(frame.time_base) - begin
        if time >= duration:
            break
        if time + Fraction(frame.samples, source.rate) <= 0:
            continue
        for part in resampler.resample(frame):
            part.pts, part.time_base = max(round(time / base), round(done / base)), base
            done = (part.pts + part.samples) * base
            yield from ((time, packet) for packet in stream.encode(part))
    yield from ((duration, packet) for packet in stream.encode(None))


def _layout(channels: int) -> str:
    """The usual layout of so many channels: encoders know not all, such as 5.1(side)."""
    return {1: "mono", 6: "5.1", 8: "7.1"}.get(channels, "stereo")


def _is_encoder(name: str) -> bool:
    try:
        return av.codec.Codec(name, "w").type == "video"
    except ValueError:
        return False
