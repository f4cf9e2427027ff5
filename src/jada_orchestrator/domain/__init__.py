"""The words of the house: ids, instants, money, requests, catalogues, plans, events, records, state and limits.

Standard library only. Nothing here reads a clock, waits, or talks to anything.
"""
