"""An exception as data."""

from opgraph.run.failure import error_info


def refuse(share):
    raise ValueError(
        f"{share:.0%} are unknown, which is more than there may be",
    )


def test_a_statement_over_several_lines_is_there_as_a_whole():
    """The line that raised begins the text of its frame, and what belongs to it follows, as it is indented."""
    try:
        refuse(0.2)
    except ValueError as error:
        frame = error_info(error).frames[-1]
    assert frame.text == 'raise ValueError(\n    f"{share:.0%} are unknown, which is more than there may be",\n)'
    assert frame.line == 7
