"""Reading a booking request by regular expressions and dictionaries: English only, common phrases only.

Understood: the examples in `tests/unit/sandbox_model`. Deliberately not understood, and therefore asked about: other
languages, numeric dates such as 3/5/2027 (month or day first?), months without a day, weekends, conditions ("only if"),
flexible dates, countries instead of cities, trains and other things that the catalogue cannot book.
"""

from __future__ import annotations
