/* SPDX-License-Identifier: Apache-2.0 */
/* What is LMDB's own: the map, other processes, an absent directory. */
#include "lib/store_watch.h"
#include "tests/support/store_fixture.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DOCS "stock.1"

/* Closed, without a file, and with the smallest map at the next open. */
static void
start_over_small(struct fixture *fx)
{
	char name[96];

	fixture_close(fx);
	(void)snprintf(name, sizeof(name), "%s/data.mdb", fx->path);
	assert_int_equal(unlink(name), 0);
	fx->settings.map_bytes = 1;
}

/* ---- The map ----------------------------------------------------------- */

static void
write_documents(struct fixture *fx, unsigned from, unsigned n, size_t size)
{
	unsigned i;

	for (i = from; i < from + n; i++) {
		char name[16];
		struct pj_str key = {name,
				     (size_t)sprintf(name, "doc-%06u", i)};
		bson_t *doc = doc_new(key, i, 0, size);

		assert_int_equal(write_one(fx, insert_of(DOCS, key, doc)),
				 STORE_APPLIED);
		bson_destroy(doc);
	}
}

static bool
count_document(void *arg, const uint8_t *bson, size_t len)
{
	(void)bson;
	(void)len;
	++*(size_t *)arg;
	return true;
}

static void
the_map_grows_with_what_is_written(void **state)
{
	struct fixture *fx = *state;
	enum { N = 50, SIZE = 1 << 20 };
	struct store_write writes[N];
	struct store_batch batch = {.writes = writes, .n_writes = N};
	char names[N][16];
	bson_t *docs[N];
	size_t n = 0, i;

	start_over_small(fx);
	fixture_open(fx);
	write_documents(fx, 0, 20, SIZE);
	/* One transaction of many times the map. */
	for (i = 0; i < N; i++) {
		struct pj_str key = {names[i],
				     (size_t)sprintf(names[i], "bulk-%zu", i)};

		docs[i] = doc_new(key, (unsigned)i, 0, SIZE);
		writes[i] = insert_of(DOCS, key, docs[i]);
	}
	OK(fx, store_apply(fx->ses, &batch, &fx->err));
	for (i = 0; i < N; i++) {
		assert_int_equal(writes[i].outcome, STORE_APPLIED);
		bson_destroy(docs[i]);
	}
	OK(fx,
	   store_scan(fx->ses, DOCS, PJ_STR(""), count_document, &n, &fx->err));
	assert_int_equal(n, 20 + N);
	/* A smaller setting later does not shrink what is there. */
	fixture_close(fx);
	fixture_open(fx);
	n = 0;
	OK(fx,
	   store_scan(fx->ses, DOCS, PJ_STR(""), count_document, &n, &fx->err));
	assert_int_equal(n, 20 + N);
	write_documents(fx, 20, 5, SIZE);
}

/* ---- Other processes --------------------------------------------------- */

static void
say(int fd, char c)
{
	assert_int_equal(write(fd, &c, 1), 1);
}

static char
hear(int fd)
{
	char c = 0;

	return read(fd, &c, 1) == 1 ? c : 0;
}

/* The other process: opens, then tells how many documents it sees, twice. */
static int
reader_process(const struct fixture *parent, int in, int out)
{
	struct fixture fx = *parent;
	size_t n = 0;
	int round;

	fx.settings.read_only = true;
	if (store_open(&fx.settings, &fx.store, &fx.err) ||
	    store_session_open(fx.store, &fx.ses, &fx.err))
		return 10;
	for (round = 0; round < 2; round++) {
		size_t want = round == 0 ? 3 : 43;

		if (hear(in) != 'g')
			return 11;
		n = 0;
		if (store_scan(fx.ses, DOCS, PJ_STR(""), count_document, &n,
			       &fx.err))
			return 12;
		if (n != want)
			return 13;
		if (write(out, "s", 1) != 1)
			return 14;
	}
	store_session_close(fx.ses);
	store_close(fx.store);
	return 0;
}

struct other_process {
	pid_t pid;
	int to, from;
};

/* The store must be closed: LMDB's locks do not survive a fork. */
static struct other_process
start_process(struct fixture *fx, int (*run)(const struct fixture *, int, int))
{
	struct other_process p;
	int to[2], from[2];

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		close(to[1]);
		close(from[0]);
		_exit(run(fx, to[0], from[1]));
	}
	close(to[0]);
	close(from[1]);
	p.to = to[1];
	p.from = from[0];
	return p;
}

static void
end_process(struct other_process *p)
{
	int status;

	close(p->to);
	close(p->from);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
another_process_sees_commits_and_follows_a_grown_map(void **state)
{
	struct fixture *fx = *state;
	struct other_process p;

	start_over_small(fx);
	p = start_process(fx, reader_process);
	fixture_open(fx);
	write_documents(fx, 0, 3, 100);
	say(p.to, 'g');
	assert_int_equal(hear(p.from), 's');
	write_documents(fx, 3, 40, 1 << 20);
	say(p.to, 'g');
	assert_int_equal(hear(p.from), 's');
	end_process(&p);
}

enum { SHARED_SOURCES = 60 };

static int
source_process(const struct fixture *parent, int in, int out)
{
	struct fixture fx = *parent;
	int32_t index;
	int i;

	(void)out;
	if (store_open(&fx.settings, &fx.store, &fx.err) ||
	    store_session_open(fx.store, &fx.ses, &fx.err))
		return 10;
	if (hear(in) != 'g')
		return 11;
	for (i = SHARED_SOURCES - 1; i >= 0; i--)
		if (store_source(fx.ses, "stock", i, &index, &fx.err))
			return 12;
	store_session_close(fx.ses);
	store_close(fx.store);
	return 0;
}

static void
racing_processes_never_share_an_index(void **state)
{
	struct fixture *fx = *state;
	struct other_process p;
	struct store_source_row *rows;
	int32_t index;
	size_t n, i;

	fixture_close(fx);
	p = start_process(fx, source_process);
	fixture_open(fx);
	say(p.to, 'g');
	for (i = 0; i < SHARED_SOURCES; i++)
		OK(fx, store_source(fx->ses, "stock", (int32_t)i, &index,
				    &fx->err));
	end_process(&p);
	OK(fx, store_sources(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, SHARED_SOURCES);
	for (i = 0; i < n; i++)
		assert_int_equal(rows[i].index, i);
	free(rows);
}

/* ---- Read-only --------------------------------------------------------- */

static void
a_reader_waits_for_a_store_that_is_not_there_yet(void **state)
{
	struct fixture *fx = *state;
	struct store_settings settings = fx->settings;
	char path[96];
	struct store *store;
	struct store_session *ses;
	struct store_live *rows;
	struct stat st;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/absent", fx->path);
	settings.path = path;
	settings.read_only = true;
	OK(fx, store_open(&settings, &store, &fx->err));
	OK(fx, store_session_open(store, &ses, &fx->err));
	assert_int_equal(store_live(ses, &rows, &n, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_non_null(strstr(fx->err.text, "no store yet at"));
	assert_int_equal(store_check(ses, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	assert_int_equal(stat(path, &st), -1);
	/* An empty directory is no store either. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(store_check(ses, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_RETRY);
	(void)snprintf(path, sizeof(path), "%s/absent/lock.mdb", fx->path);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/absent", fx->path);
	assert_int_equal(rmdir(path), 0);
	store_session_close(ses);
	store_close(store);
}

static int
late_reader_process(const struct fixture *parent, int in, int out)
{
	struct fixture fx = *parent;

	fx.settings.read_only = true;
	if (store_open(&fx.settings, &fx.store, &fx.err) ||
	    store_session_open(fx.store, &fx.ses, &fx.err))
		return 10;
	if (store_check(fx.ses, &fx.err) == 0)
		return 11;
	if (write(out, "w", 1) != 1 || hear(in) != 'g')
		return 12;
	if (store_check(fx.ses, &fx.err) != 0)
		return 13;
	store_session_close(fx.ses);
	store_close(fx.store);
	return 0;
}

static void
a_waiting_reader_finds_the_store_when_it_appears(void **state)
{
	struct fixture *fx = *state;
	struct other_process p;

	start_over_small(fx);
	p = start_process(fx, late_reader_process);
	assert_int_equal(hear(p.from), 'w');
	fixture_open(fx);
	say(p.to, 'g');
	end_process(&p);
}

static size_t
count_databases(const char *path)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_stat st;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_RDONLY, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_stat(txn, dbi, &st), 0);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return st.ms_entries;
}

static void
check_makes_the_fixed_databases_but_not_for_a_reader(void **state)
{
	struct fixture *fx = *state;

	fixture_close(fx);
	fx->settings.read_only = true;
	fixture_open(fx);
	OK(fx, store_check(fx->ses, &fx->err));
	fixture_close(fx);
	assert_int_equal(count_databases(fx->path), 0);
	fx->settings.read_only = false;
	fixture_open(fx);
	OK(fx, store_check(fx->ses, &fx->err));
	fixture_close(fx);
	assert_int_equal(count_databases(fx->path), 10);
	fixture_open(fx);
}

static void
an_unusable_path_is_a_configuration_error(void **state)
{
	struct fixture *fx = *state;
	struct store_settings settings = fx->settings;
	struct store *store;
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/data.mdb/below", fx->path);
	settings.path = path;
	assert_int_equal(store_open(&settings, &store, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_CONFIG);
	settings.path = "";
	assert_int_equal(store_open(&settings, &store, &fx->err), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_CONFIG);
}

static void
the_directory_is_made_with_its_parents(void **state)
{
	struct fixture *fx = *state;
	static const char *const names[] = {"/a/b/data.mdb", "/a/b/lock.mdb",
					    "/a/b", "/a"};
	struct store_settings settings = fx->settings;
	struct store *store;
	char path[96];
	size_t i;

	(void)snprintf(path, sizeof(path), "%s/a/b", fx->path);
	settings.path = path;
	OK(fx, store_open(&settings, &store, &fx->err));
	store_close(store);
	for (i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", fx->path, names[i]);
		assert_int_equal(remove(path), 0);
	}
}

/* ---- Commits ----------------------------------------------------------- */

/*
 * Where LMDB keeps which transaction readers begin at: a writer moves it when
 * its last page is on the disk, a moment after that page can be seen. It is the
 * one word of the lock file's head that holds the number.
 */
static volatile uint64_t *
map_readers_begin(const struct fixture *fx, uint64_t serial)
{
	enum { HEAD_WORDS = 16 };
	volatile uint64_t *words, *found = NULL;
	char name[96];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/lock.mdb", fx->path);
	fd = open(name, O_RDWR);
	words = mmap(NULL, HEAD_WORDS * sizeof(*words), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	assert_ptr_not_equal(words, MAP_FAILED);
	(void)close(fd);
	for (size_t i = 0; i < HEAD_WORDS; i++) {
		if (words[i] != serial)
			continue;
		assert_null(found);
		found = &words[i];
	}
	assert_non_null(found);
	return found;
}

static void
a_commit_is_told_when_it_can_be_read(void **state)
{
	struct fixture *fx = *state;
	const char *names[] = {DOCS};
	volatile uint64_t *begin;
	struct store_watch *watch;
	struct store_news news;
	uint64_t serial, seen;

	write_documents(fx, 0, 1000, 10);
	serial = store_commits(fx->store);
	begin = map_readers_begin(fx, serial);
	/* As within a commit. */
	*begin = serial - 1;
	assert_int_equal(store_commits(fx->store), serial);
	OK(fx, store_commits_seen(fx->ses, &seen, &fx->err));
	assert_int_equal(seen, serial - 1);
	OK(fx, store_watch_open(fx->ses, names, 1, 20, &watch, &fx->err));
	OK(fx, store_watch_next(watch, &news, &fx->err));
	assert_int_equal(news.kind, STORE_NEWS_NONE);
	*begin = serial;
	OK(fx, store_watch_next(watch, &news, &fx->err));
	assert_int_equal(news.kind, STORE_NEWS_ANYTHING);
	OK(fx, store_watch_next(watch, &news, &fx->err));
	assert_int_equal(news.kind, STORE_NEWS_NONE);
	store_watch_close(watch);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_setup_lmdb, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_map_grows_with_what_is_written),
		TEST(another_process_sees_commits_and_follows_a_grown_map),
		TEST(racing_processes_never_share_an_index),
		TEST(a_reader_waits_for_a_store_that_is_not_there_yet),
		TEST(a_waiting_reader_finds_the_store_when_it_appears),
		TEST(check_makes_the_fixed_databases_but_not_for_a_reader),
		TEST(an_unusable_path_is_a_configuration_error),
		TEST(the_directory_is_made_with_its_parents),
		TEST(a_commit_is_told_when_it_can_be_read),
	};

	return cmocka_run_group_tests_name("store lmdb", tests, NULL, NULL);
}
