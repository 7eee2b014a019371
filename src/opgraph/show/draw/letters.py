"""How wide a text will be, without a font at hand: the advance widths of a common sans-serif, in 1/1000 of its size."""

_WIDTHS = {
    **dict.fromkeys("ijl'|", 225),
    **dict.fromkeys("I.,:;!/\\ ft[]()`", 300),
    **dict.fromkeys('r-"', 360),
    **dict.fromkeys("ckszvxyJ*", 510),
    **dict.fromkeys("abdeghnopqu_?0123456789Lsz<>+=~^#$", 565),
    **dict.fromkeys("ABEFKPSTVXYZ&", 670),
    **dict.fromkeys("CDGHNOQRUw", 730),
    **dict.fromkeys("m%", 870),
    **dict.fromkeys("MW@", 940),
}
_PLAIN, _WIDE = 600, 1000  # other letters; those of East Asian scripts and pictures
BOLD = 1.06


def text_width(text: str, size: float) -> float:
    """The width in pixels, rather too much than too little."""
    known = _WIDTHS
    return sum([known.get(each) or (_PLAIN if each < "\u2e80" else _WIDE) for each in text]) * size / 1000


def shortened(text: str, size: float, width: float) -> str:
    """A text that fits, with an ellipsis in the middle where it must: the ends of long names tell them apart."""
    if text_width(text, size) <= width:
        return text
    keep = len(text)
    while keep > 2:
        keep -= 1
        head = (keep + 1) // 2
        shorter = f"{text[:head]}\u2026{text[len(text) - (keep - head) :]}"
        if text_width(shorter, size) <= width:
            return shorter
    return "\u2026"
