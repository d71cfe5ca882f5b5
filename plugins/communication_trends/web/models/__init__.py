"""
The JSON that the API answers with: camelCase, typed.

The names are the same for days, weeks and months: an entry of ``days`` is one period, whose ``date`` is its first date.
"""
