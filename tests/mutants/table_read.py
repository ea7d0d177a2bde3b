# SPDX-License-Identifier: Apache-2.0
"""The same for the read side: what keeps an answer right, fresh and allowed."""
from table import STORE_LMDB, binary


def python(file, test):
    return {"make": ["all", "build/release/tests/support/fill_store"],
            "run": f"python3 tests/component/{file} {test}"}


FRESH = binary("tests/component/test_queryapi_fresh")
STORE = binary("tests/component/test_queryapi_store")
CACHE = binary("tests/unit/test_cache")
ANSWER = binary("tests/unit/test_answer")
AUTH = binary("tests/unit/test_auth")
LISTS = binary("tests/unit/test_list_query")

MUTANTS = [
    # ---- What is kept ready is as new as the stream -------------------------
    {"name": "a load does not mind what was told since it began",
     "file": "queryapi/loads.c",
     "old": "		load->least = revision;\n",
     "new": "		load->least = -1;\n",
     "test": FRESH,
     "says": "a_load_that_is_older_than_what_was_told_is_read_again"},
    {"name": "a load does not mind that its document was taken away",
     "file": "queryapi/loads.c",
     "old": "		load->again = true;\n",
     "new": "		load->again = false;\n",
     "test": FRESH,
     "says": "a_load_under_which_a_document_is_taken_away_is_read_again"},
    {"name": "what was kept counts as current while another following begins",
     "file": "queryapi/catalog.c",
     "old": "	served_list_unfollow(cat->served);\n"
            "	rc = read_picture(cat, ses, &snap, err);\n",
     "new": "	rc = read_picture(cat, ses, &snap, err);\n"
            "	served_list_unfollow(cat->served);\n",
     "test": binary("tests/component/test_catalog"),
     "says": "nothing_is_current_while_another_following_begins"},
    {"name": "a look tells checkpoints ahead of the stream",
     "file": "queryapi/catalog.c",
     "old": "		if (!atomic_load(&snap->views[v].served->since))\n",
     "new": "		if (snap->views[v].served)\n",
     "test": binary("tests/component/test_catalog"),
     "says": "a_look_tells_no_checkpoint_of_what_is_followed"},
    {"name": "a position is told of what has ceased to be current",
     "file": "queryapi/position.c",
     "old": "	} while (!still_current(entries, n, current));\n",
     "new": "	} while (!still_current(entries, 0, current));\n",
     "test": ANSWER,
     "says": "what_a_change_takes_out_meanwhile_is_told_no_newer_position"},
    {"name": "an entry that was taken out goes on as current",
     "file": "queryapi/entry.h",
     "old": "	       !atomic_load_explicit(&ent->gone, "
            "memory_order_acquire) &&\n",
     "new": "",
     "test": CACHE,
     "says": "a_position_is_the_entrys_own_or_the_checkpoint_before_it"},
    {"name": "an older document takes a newer one's place",
     "file": "queryapi/cache.c",
     "old": "		return old->revision > ent->revision;\n",
     "new": "		return false;\n",
     "test": CACHE, "says": "the_higher_revision_stays_whoever_comes_last"},
    {"name": "a stream that is silent is believed",
     "file": "queryapi/feed.c",
     "old": "	} else if (now - feed->goal_at_mono_ms > LATE_MS &&\n",
     "new": "	} else if (now - feed->goal_at_mono_ms > 3600 * LATE_MS &&\n",
     "test": FRESH, "says": "a_silent_stream_is_not_believed"},
    {"name": "views are the same whatever generation they are",
     "file": "queryapi/viewset.c",
     "old": "		    va->generation != vb->generation ||\n",
     "new": "",
     "test": binary("tests/unit/test_viewset"),
     "says": "any_part_of_a_generation_makes_other_views"},
    {"name": "a generation that was dropped under a read reads as empty",
     "file": "queryapi/load_run.c",
     "old": "	*ret_moved = !live;\n",
     "new": "	*ret_moved = false;\n",
     "test": STORE,
     "says": "a_generation_dropped_under_a_read_is_no_absent_document"},

    # ---- Outages and load ---------------------------------------------------
    {"name": "a stale answer for as long as the store is away",
     "file": "queryapi/answer.c",
     "old": "	return view->policy.stale_if_error_s &&\n"
            "	       *ret_age_s <= "
            "(int64_t)view->policy.stale_if_error_s;\n",
     "new": "	return view->policy.stale_if_error_s > 0;\n",
     "test": ANSWER,
     "says": "a_document_is_served_stale_for_as_long_as_its_view_allows"},
    {"name": "that there is none is served stale",
     "file": "queryapi/answer.c",
     "old": "	if (ent->state != ENTRY_DOCUMENT)\n		return false;\n",
     "new": "",
     "test": ANSWER, "says": "that_there_is_none_is_never_served_stale"},
    {"name": "reads queue behind one that has waited too long",
     "file": "queryapi/loads.c",
     "old": "	return lds->figures.waiting >= lds->limits.waiting || "
            "is_late(lds, srv);\n",
     "new": "	return lds->figures.waiting >= lds->limits.waiting ||\n"
            "	       (is_late(lds, srv) && !lds);\n",
     "test": STORE, "says": "behind_what_waited_too_long_nothing_waits"},
    {"name": "lists queue behind a read that has waited too long",
     "file": "queryapi/connection_reply.c",
     "old": "	       (wait_ms && queue_waited_ms(sh->jobs) >= wait_ms);\n",
     "new": "	       (!wait_ms && queue_waited_ms(sh->jobs) < 0);\n",
     "test": STORE, "says": "behind_what_waited_too_long_nothing_waits"},
    {"name": "a load that nobody waits for keeps its place",
     "file": "queryapi/loads.c",
     "old": "	if (load && !load->waits && !load->at_work) {\n",
     "new": "	if (load && !load->waits && !load->at_work && !lds) {\n",
     "test": STORE, "says": "nothing_is_read_for_a_client_that_hung_up"},

    # ---- Who may read what --------------------------------------------------
    {"name": "any token is a good one",
     "file": "queryapi/auth.c",
     "old": "auth->hashes[i], sizeof(hash)) == 0)",
     "new": "auth->hashes[i], sizeof(hash)) >= 0)",
     "test": AUTH, "says": "what_is_no_token_is_told_apart"},
    {"name": "a token's hash is compared without its end",
     "file": "queryapi/auth.c",
     "old": "auth->hashes[i], sizeof(hash)) == 0)",
     "new": "auth->hashes[i], sizeof(hash) - 1) == 0)",
     "test": AUTH, "says": "every_digit_of_a_hash_counts"},
    {"name": "a token with a prefix reads any key",
     "file": "queryapi/guard.c",
     "old": "	if (!ex->token || auth_may_key(ex->token, key))\n",
     "new": "	if (!ex->token || auth_may_key(ex->token, key) || key.len)\n",
     "test": python("test_queryapi_auth.py",
                    "test_a_token_reads_the_keys_of_its_scope_alone_each_of_"
                    "a_batch"),
     "says": "test_a_token_reads_the_keys_of_its_scope_alone_each_of_a_batch"},
    {"name": "a token with a prefix lists everything",
     "file": "queryapi/guard.c",
     "old": "method_of(ex->req) != METHOD_QUERY && !names_its_keys(ex))\n",
     "new": "method_of(ex->req) == METHOD_QUERY && !names_its_keys(ex))\n",
     "test": python("test_queryapi_auth.py",
                    "test_a_token_reads_the_keys_of_its_scope_alone_each_of_"
                    "a_batch"),
     "says": "test_a_token_reads_the_keys_of_its_scope_alone_each_of_a_batch"},
    {"name": "a token reads any view",
     "file": "queryapi/guard.c",
     "old": "	if (!ex->token || auth_may_view(ex->token, view))\n",
     "new": "	if (!ex->token || view.len)\n",
     "test": python("test_queryapi_auth.py",
                    "test_a_token_reads_the_views_of_its_scope_alone"),
     "says": "test_a_token_reads_the_views_of_its_scope_alone"},
    {"name": "a reload without tokens lets anybody in",
     "file": "queryapi/guard.c",
     "old": "	if (grd->tokens->n && !set->n_tokens) {\n",
     "new": "	if (grd->tokens->n > set->n_tokens + 1) {\n",
     "test": python("test_queryapi_tokens.py",
                    "test_no_reload_lets_anybody_in"),
     "says": "test_no_reload_lets_anybody_in"},
    {"name": "a token that stays begins its rate anew",
     "file": "queryapi/tokens.c",
     "old": "			if (tks->list[i].name == before->list[k].name)\n",
     "new": "			if (!tks->list[i].name)\n",
     "test": python("test_queryapi_tokens.py",
                    "test_what_is_used_of_a_rate_stays_used"),
     "says": "test_what_is_used_of_a_rate_stays_used"},

    # ---- Lists of the read side ---------------------------------------------
    {"name": "LMDB: an index that keeps what a document no longer says",
     "file": "lib/store_lmdb_index.c",
     "old": "		if (old.mv_size) {\n",
     "new": "		if (old.mv_size && new.mv_size > LMDB_KEY_MAX) {\n",
     "test": binary("tests/component/test_store_lmdb_index"),
     "says": "the_index_says_what_the_documents_say_whatever_was_written"},

    {"name": "LMDB: an index that leads to whatever it leads to",
     "file": "lib/store_lmdb_page.c",
     "old": "	wanted = is_wanted(p->query, val);",
     "new": "	wanted = val->mv_size > 0;",
     "test": STORE_LMDB, "says": "a_list_of_nothing_is_one_empty_page"},

    {"name": "a cursor that any list takes",
     "file": "queryapi/cursor.c",
     "old": "	if (memcmp(digest, bytes.data + 1, DIGEST) != 0)",
     "new": "	if (memcmp(digest, bytes.data + 1, DIGEST) == DIGEST + 1)",
     "test": LISTS,
     "says": "a_cursor_is_taken_by_its_own_list_alone"},

    {"name": "a filter that nobody declared",
     "file": "queryapi/filters.c",
     "old": "		    !type_of(reader, name, &row->type))\n",
     "new": "		    (!type_of(reader, name, &row->type) && !name[0]))\n",
     "test": LISTS,
     "says": "only_declared_single_values_are_filters"},

    {"name": "a filter's value is taken for a text",
     "file": "queryapi/filters.c",
     "old": "		.field = filter->name, .type = filter->type, "
            ".text = text};\n",
     "new": "		.field = filter->name, .type = STORE_FILTER_STRING, "
            ".text = text};\n",
     "test": python("test_queryapi_list.py",
                    "test_declared_filters_select_by_value_and_type"),
     "says": "test_declared_filters_select_by_value_and_type"},
    {"name": "a number of a filter is whatever it begins with",
     "file": "queryapi/filters.c",
     "old": "		if (text.ptr[at] < '0' || text.ptr[at] > '9')\n"
            "			return false;\n",
     "new": "		if (text.ptr[at] < '0' || text.ptr[at] > '9')\n"
            "			break;\n",
     "test": LISTS, "says": "an_integer_has_one_text"},
]
