# SPDX-License-Identifier: Apache-2.0
"""The protections that can be taken away, and which test has to notice.

Each mutant is one edit of one file. `says` is the test, or the world of the
simulator, that has to fail.
"""

SIM_SEEDS = 3000


def sim(world):
    return {"make": ["build/release/tests/sim/sim"],
            "run": f"build/release/tests/sim/sim --seeds {SIM_SEEDS} "
                   f"--world {world}"}


def binary(path):
    return {"make": [f"build/release/{path}"], "run": f"build/release/{path}"}


STORE_LMDB = binary("tests/component/test_store")


def mongodb(cases, test):
    return {"make": ["build/release/tests/support/mongo_admin",
                     *(f"build/release/tests/component/{c}" for c in cases)],
            "run": f"python3 tests/integration/test_store_mongodb.py {test}"}


STORE_MONGODB = mongodb(["test_store", "test_store_mongo",
                         "test_store_mongo_check",
                         "test_store_mongo_replace"], "contract_in_release")
READS_MONGODB = mongodb(["test_store_mongo_reads"], "reads_in_release")
WATCH_MONGODB = mongodb(["test_store_mongo_watch"], "watch_in_release")

MUTANTS = [
    # ---- Compare-and-set (rule 3) ----------------------------------------
    {"name": "MongoDB: a replace without the token it was made from",
     "file": "lib/store_mongo_apply.c",
     "old": "bson_append_utf8(&pair, \"0\", -1, \"$\" READMODEL_META "
            "\".w\", -1) &&",
     "new": "bson_append_binary(&pair, \"0\", -1, BSON_SUBTYPE_BINARY, "
            "w->base.bytes, STORE_TOKEN_BYTES) &&",
     "test": STORE_MONGODB, "says": "a_replace_needs_the_base_token"},
    {"name": "MongoDB: what is found counts as replaced",
     "file": "lib/store_mongo_apply.c",
     "old": "chunk->insert ? res.n : res.modified",
     "new": "res.n",
     "test": STORE_MONGODB,
     "says": "misses_in_a_bulk_are_never_applied_and_hits_always_stored"},
    {"name": "MongoDB: a document is an expression of the pipeline",
     "file": "lib/store_mongo_apply.c",
     "old": "\"$literal\"",
     "new": "\"$mergeObjects\"",
     "test": STORE_MONGODB,
     "says": "what_replaces_is_stored_as_it_was_sent"},
    {"name": "LMDB: a replace without the token it was made from",
     "file": "lib/store_lmdb_docs.c",
     "old": "memcmp(token.bytes, w->base.bytes, STORE_TOKEN_BYTES) != 0)",
     "new": "(w->base.bytes[0] & 0) != 0)",
     "test": STORE_LMDB, "says": "a_replace_needs_the_base_token"},

    {"name": "an insert of what the store was said not to have long ago",
     "file": "projector/batch_out.c",
     "old": "	return !e->stored &&\n"
            "	       bat->now_mono_ms - e->absent_mono_ms > BATCH_INSERT_MS;\n",
     "new": "	return !e->stored && bat->now_mono_ms < 0;\n",
     "test": binary("tests/component/test_core_write"),
     "says": "an_insert_is_sent_within_five_minutes_of_its_load_or_not_at_all"},

    # ---- What a read may see (rule 1) ------------------------------------
    {"name": "MongoDB: local reads instead of majority reads",
     "file": "lib/store_mongo.c",
     "old": "		store->read_concern, MONGOC_READ_CONCERN_LEVEL_MAJORITY));\n",
     "new": "		store->read_concern, MONGOC_READ_CONCERN_LEVEL_LOCAL));\n",
     "test": READS_MONGODB, "says": "a_load_gives_what_a_majority_has"},
    {"name": "MongoDB: a read does not wait for what was written before",
     "file": "lib/store_mongo_run.c",
     "old": "causal_consistency(opts, true);\n",
     "new": "causal_consistency(opts, false);\n",
     "test": READS_MONGODB, "says": "a_load_waits_for_a_write_that_is_in_doubt"},
    {"name": "MongoDB: a read waits for its own session's writes alone",
     "file": "lib/store_mongo_run.c",
     "old": "	if (s)\n		mongoc_client_session_advance",
     "new": "	if (s && !store)\n		mongoc_client_session_advance",
     "test": READS_MONGODB, "says": "a_load_waits_for_a_write_that_is_in_doubt"},

    {"name": "MongoDB: an old primary may confirm a claim",
     "file": "lib/store_mongo.c",
     "old": "	.sync = mongo_sync,\n",
     "new": "",
     "test": STORE_MONGODB,
     "says": "a_sync_asks_for_a_primary_that_a_majority_confirms"},
    {"name": "MongoDB: who is no replica set may confirm a claim, asked or not",
     "file": "lib/store_mongo_run.c",
     "old": "	return store->allow_standalone && !timed",
     "new": "	return !timed",
     "test": STORE_MONGODB,
     "says": "a_standalone_server_is_in_sync_where_that_is_allowed"},
    {"name": "MongoDB: a member without its set may confirm a claim",
     "file": "lib/store_mongo_run.c",
     "old": "	return store->allow_standalone && !timed",
     "new": "	return store->allow_standalone",
     "test": STORE_MONGODB,
     "says": "a_standalone_server_is_in_sync_where_that_is_allowed"},

    # ---- What proves a write (rule 5) ------------------------------------
    {"name": "MongoDB: what the primary alone has counts as written",
     "file": "lib/store_mongo.c",
     "old": "	mongoc_write_concern_set_wmajority(store->write_concern,\n"
            "					   MONGO_WTIMEOUT_MS);\n",
     "new": "	mongoc_write_concern_set_w(store->write_concern, 1);\n",
     "test": READS_MONGODB, "says": "a_load_waits_for_a_write_that_is_in_doubt"},
    {"name": "MongoDB: a write concern error beside ok counts as written",
     "file": "lib/store_mongo_run.c",
     "old": "		res->clean = false;\n		res->durable = false;\n",
     "new": "		res->durable = false;\n",
     "test": STORE_MONGODB,
     "says": "a_write_concern_error_is_unknown_not_applied"},
    {"name": "MongoDB: a duplicate key or a miss counts as written",
     "file": "lib/store_mongo_apply.c",
     "old": "		chunk_set(chunk, writes, STORE_UNKNOWN);\n",
     "new": "		chunk_set(chunk, writes, STORE_APPLIED);\n",
     "test": STORE_MONGODB,
     "says": "misses_in_a_bulk_are_never_applied_and_hits_always_stored"},
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
    {"name": "MongoDB: what a row has to hold is not asked for",
     "file": "lib/store_mongo_rows.c",
     "old": "	mongo_put_conds(&q, row->conds, row->n_conds);\n",
     "new": "",
     "test": STORE_MONGODB,
     "says": "a_checkpoint_of_an_older_epoch_is_fenced_and_changes_nothing"},
    {"name": "documents are kept in memory over a revoke",
     "file": "projector/batch.c",
     "old": "	workset_clear(&bat->work);\n",
     "new": "	if (!batch_is_idle(bat))\n"
            "		workset_clear(&bat->work);\n",
     "test": binary("tests/component/test_core_write"),
     "says": "what_another_owner_wrote_between_two_assignments_is_seen"},

    # ---- Anchors (rule 10) -----------------------------------------------
    {"name": "the record applied last is not looked at",
     "file": "projector/offsets.c",
     "old": "		lost = !rec || !is_anchor(pl, rec);\n",
     "new": "		lost = false;\n",
     "test": binary("tests/unit/test_offsets_anchors"),
     "says": "another_record_at_the_anchors_offset_is_a_loss_told_once"},

    # ---- Parking ---------------------------------------------------------
    {"name": "later records do not queue behind a parked one",
     "file": "projector/fold.c",
     "old": "	return queue ? FOLD_QUEUED : FOLD_CHANGED;\n",
     "new": "	return FOLD_CHANGED;\n",
     "test": sim("bad_records_are_parked_and_the_rest_flows"),
     "says": "bad_records_are_parked_and_the_rest_flows"},
    {"name": "a marker is sent before its rows are durable",
     "file": "projector/batch.c",
     "old": " || e->list == LIST_DRAIN)\n"
            "		workset_move(&bat->work, e, LIST_ROWS);\n",
     "new": " || e->list == LIST_DRAIN)\n"
            "		workset_move(&bat->work, e, LIST_DIRTY);\n",
     "test": binary("tests/component/test_core_park"),
     "says": "a_record_is_durable_in_its_row_before_its_document_says_so"},
    {"name": "documents pass a unit that is being written",
     "file": "projector/batch_out.c",
     "old": "		if (list != LIST_RESEND && is_behind_unit(bat, e)) {\n",
     "new": "		if (list == LIST_HELD && is_behind_unit(bat, e)) {\n",
     "test": binary("tests/component/test_core_units_wait"),
     "says": "no_document_of_the_lane_goes_while_a_unit_is_written"},
    {"name": "a document that waits for a unit takes more",
     "file": "projector/batch.c",
     "old": "	       e->list != LIST_ROWS && e->list != LIST_UNITS &&\n",
     "new": "	       e->list != LIST_ROWS &&\n",
     "test": binary("tests/component/test_core_units_wait"),
     "says": "a_document_that_waits_for_a_unit_is_written_however_much_comes"},
    {"name": "a record that waits alone is not looked for when it comes again",
     "file": "projector/core_park.c",
     "old": "		e = find_unit(core, lane);\n"
            "	}\n"
            "	if (!captures(e, rec))\n"
            "		return false;\n",
     "new": "	}\n"
            "	if (!captures(e, rec))\n"
            "		return false;\n",
     "test": binary("tests/component/test_core_units"),
     "says": "a_lone_record_that_has_a_key_by_now_stays_where_it_waits"},
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

    {"name": "rows that were fetched before their queue began are drained",
     "file": "projector/batch_back.c",
     "old": "	if (queue && (!rows->queued || queue->first < rows->first)) {\n",
     "new": "	if (queue && queue->first < rows->first) {\n",
     "test": binary("tests/component/test_core_drain_again"),
     "says": "a_look_from_before_the_queue_began_says_nothing_of_it"},
    {"name": "a queue is drained before all of its rows are durable",
     "file": "projector/batch.c",
     "old": " || e->list == LIST_DRAIN)\n",
     "new": ")\n",
     "test": binary("tests/component/test_core_drain_again"),
     "says": "rows_are_looked_for_when_all_of_them_are_durable"},
    {"name": "a key is drained ahead of what has to be read again",
     "file": "projector/core_drain.c",
     "old": "!offsets_has_fed(part, e->lane, queue->tail);\n",
     "new": "!offsets_has_fed(part, e->lane, queue->first);\n",
     "test": binary("tests/component/test_core_drain_units"),
     "says": "a_key_is_drained_only_when_all_before_its_last_has_been_"
             "handed_in"},

    {"name": "what a stopped lane gave back of a drain counts as done",
     "file": "projector/core_drain.c",
     "old": "		cut_short(home);\n",
     "new": "",
     "test": binary("tests/component/test_core_drain_again"),
     "says": "a_drain_that_a_stop_cuts_short_never_says_that_nothing_is_left"},

    {"name": "a partition is given back before the rows of a drain have gone",
     "file": "projector/batch.c",
     "old": "	return bat->n_parked == 0 && bat->n_unparks == 0 &&\n"
            "	       bat->n_unparks_out == 0;\n",
     "new": "	return bat->n_parked == 0 && bat->n_unparks == 0;\n",
     "test": binary("tests/component/test_core_drain_again"),
     "says": "nothing_is_saved_before_the_rows_of_a_drain_have_gone"},

    {"name": "a partition is given back before its requests are answered",
     "file": "projector/pipeline_begin.c",
     "old": "	if (pipeline_answer(pipe, err))\n"
            "		return -1;\n",
     "new": "",
     "test": binary("tests/component/test_pipeline_requests"),
     "says": "a_retry_that_is_done_is_answered_before_its_partition_goes"},

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
    {"name": "what is asked of a generation that was let go of is refused",
     "file": "projector/core_drain.c",
     "old": "	if (lane_is_stopped(lane)) {\n		answer(",
     "new": "	if (lane_rests(lane)) {\n		answer(",
     "test": binary("tests/component/test_core_drain"),
     "says": "a_generation_that_was_let_go_of_answers_nothing"},
    {"name": "a generation is left before its requests are known",
     "file": "projector/pipeline_begin.c",
     "old": "		if (pipeline_refuse_left(pipe, lane, err))\n"
            "			return -1;\n",
     "new": "		if (pipeline_refuse_left(pipe, lane, err))\n"
            "			log_info(\"left\", \"rc=-1\");\n",
     "test": binary("tests/component/test_pipeline_requests"),
     "says": "a_generation_is_not_left_before_its_requests_are_known"},
    {"name": "the log's end is taken before owners have let go",
     "file": "projector/promotion.c",
     "old": "	    asked_mono_ms >= pro->fenced_mono_ms + pro->grace_ms &&\n",
     "new": "	    asked_mono_ms > 0 &&\n",
     "test": binary("tests/component/test_promotion"),
     "says": "an_end_that_was_asked_for_within_the_grace_is_none"},
    {"name": "the log's end is asked for while owners may still trust a look",
     "file": "projector/promotion.h",
     "old": "	PROMOTION_GRACE_MS = 4000,\n",
     "new": "	PROMOTION_GRACE_MS = 1000,\n",
     "test": sim("generations_that_take_over"),
     "says": "generations_that_take_over"},
    {"name": "owners trust a look for longer than a promotion waits",
     "file": "projector/pipeline_impl.h",
     "old": "	CLAIM_TRUST_MS = 3000,\n",
     "new": "	CLAIM_TRUST_MS = 60000,\n",
     "test": sim("generations_that_take_over"),
     "says": "generations_that_take_over"},
    {"name": "a first generation is begun once more by who looked before",
     "file": "projector/generation.c",
     "old": "		if (now_live != live) {\n",
     "new": "		if (now_live < live) {\n",
     "test": binary("tests/component/test_generation"),
     "says": "what_became_live_meanwhile_is_not_begun_once_more"},
    {"name": "the second reader claims what is being given away",
     "file": "projector/catchup.c",
     "old": "				.gate = &cu->gate,\n",
     "new": "",
     "test": binary("tests/component/test_catchup_claims"),
     "says": "who_was_asked_to_stop_claims_nothing"},
    {"name": "an owner without work does not notice that it was fenced",
     "file": "projector/pipeline_claims.c",
     "old": "			pipe->lost = true;\n",
     "new": "			pipe->lost = false;\n",
     "test": {"make": ["all"],
              "run": "python3 tests/component/test_generations.py "
                     "an_owner_without_anything_to_do_lets_go_for_a_promotion"},
     "says": "an_owner_without_anything_to_do_lets_go_for_a_promotion"},
    {"name": "a look finds any row of the partition in place",
     "file": "projector/claimlook.c",
     "old": "all[i].source == row->source && all[i].epoch == row->epoch",
     "new": "all[i].source == row->source",
     "test": binary("tests/unit/test_claimlook"),
     "says": "a_row_of_another_epoch_is_not"},
    {"name": "claims are looked at without asking who is the primary",
     "file": "projector/claimlook.c",
     "old": "	look->rc = store_sync(ses, &look->err);\n",
     "new": "	look->rc = 0;\n",
     "test": binary("tests/unit/test_claimlook"),
     "says": "what_no_store_has_proven_is_not_known"},

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
     "says": "a_gap_is_told_and_leaves_the_document_as_it_was"},

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
