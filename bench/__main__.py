"""`make bench`: every benchmark that needs the running cluster, one after the other."""

from bench.rollback import main

main()
