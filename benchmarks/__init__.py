"""opgraph beside the loop that a careful person would write by hand. A benchmark prints; it never fails."""
