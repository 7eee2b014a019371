"""All benchmarks: `make bench`."""

from benchmarks import chain, commands, engine, planning, record

for each in (chain, planning, commands, engine, record):
    print(f"\n{(each.__doc__ or '').splitlines()[0]}\n")
    each.main()
