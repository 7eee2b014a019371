"""All benchmarks: `make bench`. The first four print the table of docs/performance.md."""

from benchmarks import chain, commands, drawing, engine, planning, record
from benchmarks.floor import HEAD

print(HEAD)
for each in (chain, planning, drawing, commands):
    each.main()
for each in (engine, record):
    print(f"\n{(each.__doc__ or '').splitlines()[0]}\n")
    each.main()
