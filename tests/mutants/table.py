# SPDX-License-Identifier: Apache-2.0
"""The protections that can be taken away, and which test has to notice.

Each mutant is one edit of one file. `says` is what its test prints when it
turns red: the name of a test, or of a world of the simulator.
"""

SIM_SEEDS = 3000


def sim(world):
    return {"make": ["build/release/tests/sim/sim"],
            "run": f"build/release/tests/sim/sim --seeds {SIM_SEEDS} "
                   f"--world {world}"}


def binary(path):
    return {"make": [f"build/release/{path}"], "run": f"build/release/{path}"}


STORE_LMDB = binary("tests/component/test_store")
STORE_MONGODB = {
    "make": ["build/release/tests/component/test_store",
             "build/release/tests/component/test_store_mongo",
             "build/release/tests/support/mongo_admin"],
    "run": "python3 tests/integration/test_store_mongodb.py "
           "contract_in_release"}

MUTANTS = [
    # ---- Compare-and-set (rule 3) ----------------------------------------
    {"name": "MongoDB: a replace without the token it was made from",
     "file": "lib/store_mongo_apply.c",
     "old": """		   bson_append_binary(&q, READMODEL_META ".w", -1,
				      BSON_SUBTYPE_BINARY, w->base.bytes,
				      STORE_TOKEN_BYTES) &&
""",
     "new": "",
     "test": STORE_MONGODB, "says": "a_replace_needs_the_base_token"},
    {"name": "LMDB: a replace without the token it was made from",
     "file": "lib/store_lmdb_docs.c",
     "old": "memcmp(token.bytes, w->base.bytes, STORE_TOKEN_BYTES) != 0)",
     "new": "(w->base.bytes[0] & 0) != 0)",
     "test": STORE_LMDB, "says": "a_replace_needs_the_base_token"},

    # ---- What proves a write (rule 5) ------------------------------------
    {"name": "a duplicate key or a miss counts as applied",
     "file": "projector/batch_back.c",
     "old": "		if (outcome == STORE_APPLIED)\n",
     "new": "		if (outcome == STORE_APPLIED ||\n"
            "		    outcome == STORE_UNKNOWN)\n",
     "test": sim("several_owners_share_documents"),
     "says": "several_owners_share_documents"},
    {"name": "a repeat with other bytes under the same token",
     "file": "projector/batch_back.c",
     "old": "		flight->resent = true;\n",
     "new": "		struct buf again = BUF_INIT;\n"
            "\n"
            "		flight->resent = true;\n"
            "		doc_encode(e->doc, &flight->token, &again);\n"
            "		free(flight->bytes);\n"
            "		flight->bytes = (uint8_t *)buf_detach(&again,\n"
            "						      &flight->len);\n"
            "		records_move(&flight->recs, &e->changed);\n",
     "test": sim("a_store_that_loses_doubts_and_delays"),
     "says": "a_store_that_loses_doubts_and_delays"},

    # ---- In flight (rule 4) ----------------------------------------------
    {"name": "a second write is sent over an unresolved one",
     "file": "projector/batch_back.c",
     "old": "		else\n"
            "			workset_move(&bat->work, e, LIST_LOAD);\n"
            "	}\n"
            "	apply_rows_done(bat, job);\n",
     "new": "		else if (e->changed.n) {\n"
            "			records_move(&e->changed, &flight->recs);\n"
            "			e->flight = NULL;\n"
            "			flight_free(flight);\n"
            "			workset_move(&bat->work, e, LIST_DIRTY);\n"
            "		} else\n"
            "			workset_move(&bat->work, e, LIST_LOAD);\n"
            "	}\n"
            "	apply_rows_done(bat, job);\n",
     "test": sim("a_store_that_loses_doubts_and_delays"),
     "says": "a_store_that_loses_doubts_and_delays"},

    # ---- Checkpoints and ownership (rules 8, 9) --------------------------
    {"name": "a checkpoint before what it covers is durable",
     "file": "projector/offsets.c",
     "old": "		if (!rec->folded || rec->pending)\n",
     "new": "		if (!rec->folded)\n",
     "test": sim("crashes_and_rebalances"),
     "says": "crashes_and_rebalances"},
    {"name": "LMDB and MongoDB: a checkpoint under an outdated epoch",
     "file": "lib/store_rows.c",
     "old": "	row_if(ret_row, \"epoch\", cp->epoch);\n",
     "new": "",
     "test": STORE_LMDB,
     "says": "a_checkpoint_of_an_older_epoch_is_fenced_and_changes_nothing"},

    # ---- Anchors (rule 10) -----------------------------------------------
    {"name": "the record applied last is not looked at",
     "file": "projector/offsets.c",
     "old": "		lost = !rec || !is_anchor(pl, rec);\n",
     "new": "		lost = false;\n",
     "test": binary("tests/unit/test_offsets_anchors"),
     "says": "test(s), listed below"},

    # ---- Parking ---------------------------------------------------------
    {"name": "later records do not queue behind a parked one",
     "file": "projector/fold.c",
     "old": "	return queue ? FOLD_QUEUED : FOLD_CHANGED;\n",
     "new": "	return FOLD_CHANGED;\n",
     "test": sim("bad_records_are_parked_and_the_rest_flows"),
     "says": "bad_records_are_parked_and_the_rest_flows"},
    {"name": "a marker is sent before its rows are durable",
     "file": "projector/batch.c",
     "old": "	    e->list == LIST_URGENT || e->list == LIST_HELD)\n"
            "		workset_move(&bat->work, e, LIST_ROWS);\n",
     "new": "	    e->list == LIST_URGENT || e->list == LIST_HELD)\n"
            "		workset_move(&bat->work, e, LIST_DIRTY);\n",
     "test": binary("tests/component/test_core_park"),
     "says": "test(s), listed below"},
    {"name": "documents pass a unit that is being written",
     "file": "projector/batch_out.c",
     "old": "	return !e->unit && bat->n_open_units[e->lane->index] > 0;\n",
     "new": "	return !e->unit && bat->n_open_units[e->lane->index] > 99;\n",
     "test": binary("tests/component/test_core_units"),
     "says": "test(s), listed below"},
    {"name": "what waited in a unit is judged by positions",
     "file": "projector/fold.c",
     "old": "	if (doc_has_late(doc, source, rec->offset))\n"
            "		return repeated(lane);\n"
            "	if (queue && rec->offset > queue->first)\n",
     "new": "	if (doc_has_late(doc, source, rec->offset) ||\n"
            "	    doc_has_applied(doc, source, rec->offset))\n"
            "		return repeated(lane);\n"
            "	if (queue && rec->offset > queue->first)\n",
     "test": sim("queues_are_retried_while_records_come"),
     "says": "queues_are_retried_while_records_come"},

    {"name": "rows that no marker names are taken for parked",
     "file": "projector/parked_marker.c",
     "old": "			has && item->offset >= first && "
            "item->offset <= tail;\n",
     "new": "			has || item->offset >= first;\n",
     "test": binary("tests/component/test_parked_list"),
     "says": "rows_below_first_and_beyond_the_tail_do_not_exist"},

    # ---- Generations -----------------------------------------------------
    {"name": "the live pointer moves over a claim",
     "file": "lib/store_live.c",
     "old": "	if (claims)\n"
            "		row_if(&row, \"claims\", *claims);\n",
     "new": "	(void)claims;\n",
     "test": binary("tests/component/test_promotion"),
     "says": "the_pointer_does_not_move_over_a_claim"},
    {"name": "the log's end is taken before owners have let go",
     "file": "projector/promotion.c",
     "old": "	    asked_mono_ms >= pro->fenced_mono_ms + pro->grace_ms &&\n",
     "new": "	    asked_mono_ms > 0 &&\n",
     "test": binary("tests/component/test_promotion"),
     "says": "an_end_that_was_asked_for_within_the_grace_is_none"},
    {"name": "an owner without work does not notice that it was fenced",
     "file": "projector/pipeline_claims.c",
     "old": "		pipe->lost = !ours;\n",
     "new": "		pipe->lost = false;\n",
     "test": {"make": ["all"],
              "run": "python3 tests/component/test_generations.py "
                     "an_owner_without_anything_to_do_lets_go_for_a_promotion"},
     "says": "an_owner_without_anything_to_do_lets_go_for_a_promotion"},

    # ---- Skips and sequences (rules 1, 12) -------------------------------
    {"name": "what a document has applied is applied again",
     "file": "projector/fold.c",
     "old": "	if (doc_has_applied(doc, source, rec->offset) ||\n"
            "	    doc_has_late(doc, source, rec->offset) ||\n",
     "new": "	if (doc_has_late(doc, source, rec->offset) ||\n",
     "test": sim("crashes_and_rebalances"),
     "says": "crashes_and_rebalances"},
    {"name": "a gap in a sequence is ignored",
     "file": "projector/fold.c",
     "old": "	if (sequence == last + 1 || last == DOC_SEQUENCE_UNKNOWN)\n",
     "new": "	if (sequence > last || last == DOC_SEQUENCE_UNKNOWN)\n",
     "test": binary("tests/unit/test_fold_sequence"),
     "says": "test(s), listed below"},

    # ---- Purges (rule 3) -------------------------------------------------
    {"name": "a tombstone goes while a checkpoint is below it",
     "file": "projector/purge.c",
     "old": "		if (!is_behind(round, &positions[i]))\n"
            "			return false;\n",
     "new": "		if (!is_behind(round, &positions[i]))\n"
            "			continue;\n",
     "test": binary("tests/component/test_purge"),
     "says": "a_tombstone_at_or_beyond_a_checkpoint_stays"},
    {"name": "a tombstone goes before its floor is known",
     "file": "projector/purge.c",
     "old": "	if (now_mono_ms - floor->since_mono_ms >= PURGE_FLOOR_MS)\n",
     "new": "	if (now_mono_ms >= 0)\n",
     "test": binary("tests/component/test_purge"),
     "says": "the_floor_is_stored_before_anything_goes"},
]
