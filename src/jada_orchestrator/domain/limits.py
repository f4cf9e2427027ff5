"""Every limit of the house, in one place, each with its reason (law 7: everything has a limit).

Sizes are in bytes, times in milliseconds, unless the name says otherwise.
"""

from __future__ import annotations

from typing import Final

# --- Requests -----------------------------------------------------------------------------------------------------
REQUEST_TEXT_BYTES_MAX: Final = 16 * 1024
"""The contract's limit on a request's text: four pages, more than any traveller writes."""
REQUEST_BODY_BYTES_MAX: Final = 256 * 1024
"""Four times below what SQS carries (1 MiB): a request is stored whole in the journal and given to the model whole."""
METADATA_ENTRIES_MAX: Final = 64
"""Metadata is carried, not used; this many is a label, more is a payload."""
PRIORITY_MAX: Final = 9

# --- Plans --------------------------------------------------------------------------------------------------------
PLAN_TASKS_MAX: Final = 100
"""Twice the widest booking that the product promises (50 agents at once); more is a runaway plan."""
PLAN_DEPTH_MAX: Final = 25
"""Levels of the graph; the longest sensible booking chain has about twelve."""
FOR_EACH_MAX: Final = 50
"""Calls of one task with `for_each`: the widest booking that the product promises. A longer list is a failure, never
cut off; and together with the rest of the plan there are never more than `PLAN_TASKS_MAX`."""
ERROR_CODES_MAX: Final = 16
"""Codes on which one task stands in for another; the longest list in sight has four."""
PROPOSAL_BYTES_MAX: Final = 512 * 1024
"""A proposal of 100 tasks is about 60 KiB; ten times that is not a plan."""
TASK_ARGUMENTS_MAX: Final = 64
REFERENCE_CHARS_MAX: Final = 4_096
"""A list of every task of the largest plan has about 3,500; a reference names fields, a program belongs in an agent."""
QUESTIONS_MAX: Final = 10
PLAN_FAULTS_MAX: Final = 100
"""Faults of one proposal that go back to the model; with more than these it is better written anew than mended."""
PLAN_NOTES_MAX: Final = 40
"""Normalisations that a plan tells of; a proposal that needs more says nothing new with the rest."""
SCHEMA_FAULTS_MAX: Final = 20
"""Faults of one value against one schema: enough to mend it, few enough to read."""
REFERENCE_NESTING_MAX: Final = 48
"""Brackets and operators inside each other in one reference; keeps parsing and evaluation far from Python's own
bound."""
REFERENCE_COPIES_MAX: Final = 1_000
"""How often one value may occur in what a reference makes of it: every task of the largest plan, ten fields each. Each
`[@, @]` doubles what comes before it: thirty of them fill any memory."""
VALUE_PARTS_MAX: Final = 512 * 1024
"""Parts of what a reference yields: with more of them it has more than a MiB of text, and no queue takes it."""
CONSTANT_NESTING_MAX: Final = 32
"""Levels of one constant; the deepest input in sight has five."""
COMPILED_CACHE_MAX: Final = 2_048
"""Parsed references and schema validators kept (each): several catalogues' worth, at a few KiB each."""

# --- Planning -----------------------------------------------------------------------------------------------------
CORRECTIONS_MAX: Final = 2
"""Published experience puts the use of re-asking at two or three tries; after that the faults are the answer."""
REVISIONS_MAX: Final = 2
"""Plans anew after a failure; a third would try what two could not, while the traveller waits and holds run out."""
REVISION_WAIT_MAX_MS: Final = 180_000
"""How long a failed plan waits for its revision: one call of the model and a correction, well within the quarter of an
hour for which offers are usually held. After that everything is undone as if nobody had been asked."""
REVISION_ITEMS_MAX: Final = 8
"""Elements of a list in an output that a revision is told of, by their numbers: the first are the best offers."""
PLANNER_BAD_ANSWERS_MAX: Final = 3
"""Cut, truncated or unreadable answers before this request is given up; each one is billed."""
PLANNER_RETRY_FIRST_MS: Final = 500
PLANNER_RETRY_MAX_MS: Final = 60_000
PLANNER_STOPPED_RETRY_MS: Final = 60_000
"""How often a stopped planner (spend limit, bad key) is tried by one workflow: once a minute costs nothing and
needs no person."""
UNPLANNED_WHILE_STOPPED_MAX: Final = 100
"""Bookings that wait for a plan while none can be made: beyond these the queue keeps the requests."""
TEMPLATES_MAX: Final = 200
"""Templates that are kept: an installation has a dozen shapes of requests; more than these are no shapes any more."""
TEMPLATE_FAILURES_MIN: Final = 3
"""Failures of one question, one after another, after which the model counts as out of reach: one or two are weather."""
FORESEEN_MAX: Final = 16
"""Reads that one booking may start while its plan is still arriving; the widest reference booking has twelve reads."""
FORESEEN_TASK_CHARS_MAX: Final = 4_096
"""One task of an answer that is still arriving; a larger one waits for the whole plan (most have 500 characters)."""
FORESEEN_AGE_MAX_MS: Final = 120_000
"""How old a read may be that a plan takes over: as long as one answer may take; what is older is read again."""
PLANNING_WAIT_MAX_MS: Final = 24 * 3_600_000
"""A request whose planning could not even be tried for a day is told so: nobody waits longer for a booking."""
CLARIFICATION_WAIT_MAX_MS: Final = 7 * 86_400_000
APPROVAL_WAIT_MAX_MS: Final = 24 * 3_600_000
"""Prices do not stand for longer than a day."""

APPROVAL_QUESTION_CHARS_MAX: Final = 500
"""A question of a plan to a person, which may quote an agent: enough to decide by, too little to drown in."""
CHOICES_MAX: Final = 20
"""Options that are chosen among; searches give the best first, and more makes the model's choice no better."""
CHOICE_WAIT_MAX_MS: Final = 60_000
"""How long a choice waits for the model: a short answer takes seconds, and then the first option is taken."""
CHOICE_TEXT_CHARS_MAX: Final = 200
"""Of each text in an option that the model sees: a name or an address, no letter."""
CHOICE_OPTION_CHARS_MAX: Final = 4_000
"""Of a whole option that the model sees: three times the largest of the reference agents; twenty cost under half a
question for a plan, however much an agent answers."""
WAIT_MAX_MS: Final = 7 * 86_400_000
"""The longest wait of a plan: a booking that waits is held in memory, and prices do not stand for a week."""

# --- Running ------------------------------------------------------------------------------------------------------
ATTEMPTS_MAX: Final = 20
"""The most attempts that a catalogue may ask for; a task that failed twenty times needs a person, not a twenty-
first."""
ACTION_TIMEOUT_MAX_MS: Final = 900_000
"""AWS Lambda's own bound: 15 minutes."""
RETRY_JITTER_PERCENT: Final = 25
"""A backoff is shortened by up to this share, by a hash of key and attempt, so that a herd spreads and a replay
agrees."""
REFUSALS_MAX: Final = 60
"""Attempts that never reached the agent (throttled, queue away): with backoff up to 15 s, about a quarter of an
hour."""
REFUSAL_RETRY_FIRST_MS: Final = 250
REFUSAL_RETRY_MAX_MS: Final = 15_000
ATTEMPT_GRACE_MS: Final = 1_000
"""How long after an attempt's deadline it is given up as lost: time for the adapter's own timeout to speak first."""
HOLD_REFRESHES_MAX: Final = 3
"""A reservation that ran out this often before it was used is not made again: something is too slow for it."""
HOLD_MARGIN_MS: Final = 2_000
"""A reservation with less than this left is held to have run out: the call that uses it takes time, too."""
CLARIFICATIONS_MAX: Final = 5
"""Rounds of questions; a planner that asks a sixth time does not know what it wants."""
LOOKUPS_MAX: Final = 8
"""Lookups of one unknown call while the workflow still wants to go forward: with backoff up to 30 s, about two
minutes."""
LOOKUP_RETRY_FIRST_MS: Final = 500
LOOKUP_RETRY_MAX_MS: Final = 30_000
LOOKUP_SAFETY_MS: Final = 5_000
"""How long after a call's own deadline an answer "absent" is believed: the house assumes that the clocks of its hosts
differ, and jump, by less than this (the unit starts after time-sync.target)."""
UNDO_ATTEMPTS_MAX: Final = 60
"""Compensations are retried long and patiently: with backoff up to five minutes, about four and a half hours."""
UNDO_RETRY_MAX_MS: Final = 300_000
UNDO_LOOKUPS_MAX: Final = 60
"""As patient as the compensation itself."""
OUTCOME_BYTES_MAX: Final = 1_000_000
"""One outcome: a little under what SQS carries (1 MiB). A larger one refers to a bucket, or goes without
the outputs that it quotes."""
OUTPUT_BYTES_MAX: Final = 1024 * 1024
"""One agent's answer: what SQS carries. Larger ones belong in a bucket."""
PAYLOAD_BYTES_MAX: Final = 8 * 1024 * 1024
"""One payload in a bucket: eight times a message. It goes through memory, the journal and later inputs."""
WORKFLOW_RECORDS_MAX: Final = 10_000
"""A booking has about forty records; one with ten thousand is going round in circles and is set aside."""
OUTCOME_RETRY_FIRST_MS: Final = 500
OUTCOME_RETRY_MAX_MS: Final = 30_000

# --- Runtime ------------------------------------------------------------------------------------------------------
INBOX_EVENTS_MAX: Final = 10_000
"""Events that wait for a turn; receivers stop before this is reached."""
NEW_WORK_EVENTS_MAX: Final = 200
"""Events that may wait when a request is taken in. Each leads to several more at once, and whatever is under way waits
behind them: one tenant's flood must not hold up the others' bookings, and the queue keeps requests just as well."""
TURN_EVENTS_MAX: Final = 500
"""Events decided in one turn: bounds the size of a commit (a few megabytes) and the time the loop is held (tens of
ms)."""
WAITING_FOR_PEOPLE_MAX: Final = 10_000
"""Workflows that wait for an approval or an answer and do not count as work in flight; beyond it they do."""
WORKFLOWS_IN_FLIGHT_MAX: Final = 10_000
"""Workflows held in memory; at 15 KiB each, 150 MiB."""
RETIRE_WORKFLOWS_MAX: Final = 5
"""Workflows retired in one commit: a turn's commit that comes just then waits for it, a few milliseconds."""
RETIRE_RECORDS_MAX: Final = 300
"""Records that are read and deleted for one such commit, but always one workflow's: for the same reason."""
RETIRE_PAUSE_TIMES: Final = 9
"""After a piece the store is left alone for so many times as long as the piece took: a tenth of its time is taken."""
RETIRE_PAUSE_MIN_MS: Final = 50
"""And for so long at least: with five workflows a piece, a hundred a second is eight millions a day."""
RETIRE_LOOK_MS: Final = 300_000
"""How often the store is asked for something to retire while there is nothing: one look into an index."""
FORGET_EVERY_MS: Final = 3_600_000
"""How often instances that ended long ago are forgotten; and how long retiring rests when the store is damaged."""
INSTANCES_KEPT_MS: Final = 86_400_000
"""How long an instance that ended is remembered: a day is enough for whoever asks the database what happened."""
SPENDING_KEPT_DAYS: Final = 7
"""Days for which the spending of each instance is kept: budgets are for one day, and clocks of hosts differ."""
DESCRIPTORS_LOOK_MS: Final = 500
"""How often open files are counted at most: with thousands open that takes a millisecond."""
