"""Planning: what a model proposes becomes a plan, or all of its faults at once; plans' references become inputs.

A proposal is untrusted. It is adopted only if it keeps these laws, each with the code of the fault that tells of a
breach. Everything is told at once; what is harmless is normalised and noted in `Plan.notes` (case of ids and actions,
a code fence around the JSON, order of the list, doubled edges, order-only edges that others imply, and those between
reads that take nothing from each other).

 0.  It is one JSON object of the agreed shape and size, and its parts agree with its outcome.
     NOT_JSON, TOO_LARGE, BAD_SHAPE, CONTRADICTION, NO_QUESTIONS, NO_REASON, EMPTY_PLAN, TOO_MANY_TASKS
 1.  Every task has an id of its own, an action of the catalogue that is meant for plans, and edges to tasks that are
     there. BAD_ID, DUPLICATE_ID, UNKNOWN_ACTION, LOOKUP_PROPOSED, UNKNOWN_TASK
 2.  No task waits for itself, and no path is too long. CYCLE, TOO_DEEP
 3.  What changes the world names in the catalogue what undoes it, or is declared irreversible. NO_COMPENSATION
 4.  Checks and reservations come first: every commit comes after every required read and every required reservation
     of the plan, except those that need the output of a commit, directly or through others. UNSAFE_ORDER
 5.  What cannot be undone comes last: a commit that nothing undoes comes after every required commit that something
     undoes, and, unless it commits money itself, after every required commit of money; except those that need its
     output. UNSAFE_ORDER
 6.  What may be skipped is needed by nothing that must not be: no required task, and no commit at all, reads the output
     of an optional one (to come after it is allowed). OPTIONAL_REQUIRED, COMMIT_ON_OPTIONAL
 7.  No two tasks do the same: same action, same arguments; a read that comes after its twin is another read.
     DUPLICATE_WORK
 8.  Money that is known before anything runs is not negative, of one currency, and within the request's `max_total`.
     AMOUNT_NEGATIVE, CURRENCY_MISMATCH, OVER_BUDGET
 9.  Every argument is a field of the action's input, each required one is there, and its value fits: a constant
     satisfies the schema; a reference reads tasks that are there (or `request`), fields that their output schemas
     have, and yields what the field may take, as far as schemas tell. Whether a field that an output may lack is there
     is seen at run time; but what a commit requires is not read from a field that an output may leave out, whatever
     a reference makes of it. No reference repeats what it reads without bound.
    UNKNOWN_INPUT, DUPLICATE_INPUT, MISSING_INPUT, BAD_INPUT, BAD_REFERENCE
 10. The result names references in the same way. BAD_RESULT
 11. A field for which the catalogue names `sources` takes its value from them: from the request, a constant, or a named
     output of an agent, whatever a reference does on the way; and what is said to have been told (kind `user`) occurs
     in the request or in an answer. FORBIDDEN_SOURCE, UNFOUNDED_VALUE
 12. No more tasks of one agent may run side by side than it takes at once. FAN_OUT
 13. A condition (`when`) yields true or false, and looks at no text that an agent is free to choose, nor at a list or
     an object of such texts. BAD_CONDITION
 14. What is only called under a condition is read by what is called under the same condition (every demand of it,
     joined by `&&`), by what is optional, or so that it may be missing: the field need not be given, or the reference
     names what else to take, and that is not only what may fail without harm. CONDITIONAL_REQUIRED
 15. A list (`for_each`) is one, as far as schemas tell; the task is read as the list of its outputs. BAD_LIST
 16. A stand-in (`instead_of`) names the codes on which it is called, each given to one stand-in only; it has no
     condition or list of its own, and reads nothing of what it stands in for. Nothing reads it but under that one's
     name, where each reference fits both outputs. BAD_ALTERNATIVE, CONDITIONAL_REQUIRED, UNKNOWN_TASK
 17. A revision leaves alone what was executed: it keeps a task unchanged, or gives it up; it takes no id of one for
     something else, and does not try again exactly what failed. What is kept counts as over in laws 3 to 6, 12 and 14,
     and with its money in law 8. EXECUTED_CHANGED, EXECUTED_ID, REPEATED_FAILURE

"Comes after" is what the graph guarantees whatever fails or is skipped: a task is called, or skipped, once all that it
comes after is over. Between tasks whose conditions exclude each other, or one and its stand-in, laws 4, 5 and 7 demand
nothing, and law 8 counts the dearer of them.
"""

from __future__ import annotations

from jada_orchestrator.planning.choosing import chosen_index, shortened
from jada_orchestrator.planning.compiler import Adopted, Clarify, Compiled, Faulted, Refuse, compile_proposal
from jada_orchestrator.planning.facts import facts_of
from jada_orchestrator.planning.foreseeing import ForeseenTask, foresee
from jada_orchestrator.planning.inputs import (
    check_input,
    request_document,
    resolve_amount,
    resolve_compensation,
    resolve_condition,
    resolve_input,
    resolve_list,
    resolve_result,
    roots_of_result,
)
from jada_orchestrator.planning.provenance import Told
from jada_orchestrator.planning.references import roots_of
from jada_orchestrator.planning.revising import told_arguments, told_in
from jada_orchestrator.planning.schemas import SchemaError, check_schema, faults_in, is_valid
from jada_orchestrator.planning.shape import shape_of
from jada_orchestrator.planning.soundness import faults_in_catalogue
from jada_orchestrator.planning.templates import fitting, template_of

__all__ = [
    "Adopted",
    "Clarify",
    "Compiled",
    "Faulted",
    "ForeseenTask",
    "Refuse",
    "SchemaError",
    "Told",
    "check_input",
    "check_schema",
    "chosen_index",
    "compile_proposal",
    "facts_of",
    "faults_in",
    "faults_in_catalogue",
    "fitting",
    "foresee",
    "is_valid",
    "request_document",
    "resolve_amount",
    "resolve_compensation",
    "resolve_condition",
    "resolve_input",
    "resolve_list",
    "resolve_result",
    "roots_of",
    "roots_of_result",
    "shape_of",
    "shortened",
    "template_of",
    "told_arguments",
    "told_in",
]
