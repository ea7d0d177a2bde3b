/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dir.h"
#include "lib/log.h"
#include "lib/mem.h"

static const char MAGIC[16] = "shopview-led-1\n";
enum { PAGE_BYTES = 8192 };

static_assert(sizeof(struct ledger_page) <= PAGE_BYTES, "it fits");
/* Projection, '.', number, suffix. */
static_assert(32 + 1 + 11 + sizeof(LEDGER_IN_KEY) <=
		      READMODEL_GENERATION_ID_MAX,
	      "names fit");
/* Another process reads it: no lock may hide in it. */
static_assert(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
	      "lock-free");

/* An unfinished entry; its file stays locked while it is kept. */
struct ledger_found {
	struct ledger_page *page;
	int fd;
	struct ledger_entry entry;
};

static void
entry_of(const struct ledger_page *page, struct ledger_entry *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->topic, page->topic, sizeof(ret->topic) - 1);
	if (page->step != STEP_DECODE)
		(void)snprintf(ret->generation, sizeof(ret->generation),
			       "%.50s%s", page->lanes[page->lane % LANES_MAX],
			       page->step == STEP_KEY ? LEDGER_IN_KEY : "");
	ret->partition = page->partition;
	ret->offset = page->offset;
	ret->pid = page->pid;
	ret->started_at_ms = page->started_at_ms;
}

/*
 * The open ledgers, for signal handlers. A page is unmapped only after it left
 * the table and no handler is inside.
 */
static struct {
	_Atomic(struct ledger_page *) page;
	_Atomic uint64_t marked;
	_Atomic(pthread_t) thread; /* whose records these are */
} ledgers[LEDGERS_OPEN_MAX];
static atomic_int handlers_inside;
static pthread_once_t ends = PTHREAD_ONCE_INIT;

static int
register_page(struct ledger_page *page)
{
	for (size_t i = 0; i < LEDGERS_OPEN_MAX; i++) {
		struct ledger_page *none = NULL;

		if (atomic_compare_exchange_strong(&ledgers[i].page, &none,
						   page)) {
			atomic_store(&ledgers[i].thread, pthread_self());
			return 0;
		}
	}
	return -1;
}

static void
unregister_page(struct ledger_page *page)
{
	for (size_t i = 0; i < LEDGERS_OPEN_MAX; i++) {
		struct ledger_page *mine = page;

		if (atomic_compare_exchange_strong(&ledgers[i].page, &mine,
						   NULL))
			atomic_store(&ledgers[i].marked, 0);
	}
	while (atomic_load(&handlers_inside))
		(void)sched_yield();
}

void
ledger_mark(void)
{
	atomic_fetch_add(&handlers_inside, 1);
	for (size_t i = 0; i < LEDGERS_OPEN_MAX; i++) {
		struct ledger_page *page = atomic_load(&ledgers[i].page);

		if (page)
			atomic_store(&ledgers[i].marked,
				     atomic_load(&page->seq));
	}
	atomic_fetch_sub(&handlers_inside, 1);
}

void
ledger_absolve(void)
{
	atomic_fetch_add(&handlers_inside, 1);
	for (size_t i = 0; i < LEDGERS_OPEN_MAX; i++) {
		struct ledger_page *page = atomic_load(&ledgers[i].page);
		uint64_t marked = atomic_load(&ledgers[i].marked);

		if (page &&
		    !((marked & 1) && atomic_load(&page->seq) == marked))
			atomic_store(&page->chosen, 1);
	}
	atomic_fetch_sub(&handlers_inside, 1);
}

/* ---- Ends that somebody chose ---------------------------------------------
 */

static void
absolve_others(const struct ledger_page *guilty)
{
	for (size_t i = 0; i < LEDGERS_OPEN_MAX; i++) {
		struct ledger_page *page = atomic_load(&ledgers[i].page);

		if (page && page != guilty)
			atomic_store(&page->chosen, 1);
	}
}

/* In a record on this very thread. */
static struct ledger_page *
guilty_page(void)
{
	for (size_t i = 0; i < LEDGERS_OPEN_MAX; i++) {
		struct ledger_page *page = atomic_load(&ledgers[i].page);

		if (page && (atomic_load(&page->seq) & 1) &&
		    pthread_equal(atomic_load(&ledgers[i].thread),
				  pthread_self()))
			return page;
	}
	return NULL;
}

void
ledger_accuse(const struct ledger *led)
{
	absolve_others(led->page);
}

/*
 * exit() within a record: a module's doing. A supervisor must not take it for
 * an end that was wanted.
 */
static void
refuse_exit(void)
{
	struct ledger_page *page = guilty_page();
	struct ledger_entry e;

	if (!page)
		return;
	absolve_others(page);
	entry_of(page, &e);
	log_error("record.exit",
		  "generation=%s at=%s/%" PRId32 "@%" PRId64
		  " note=\"the process was ended from within the record\"",
		  *e.generation ? e.generation : "-", e.topic, e.partition,
		  e.offset);
	_exit(CLI_FATAL);
}

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { FATAL = sizeof(fatal) / sizeof(fatal[0]) };
static struct sigaction before[FATAL];

/*
 * Then as if nobody had looked: a fault comes again on return, to whoever had
 * the signal before; one that was sent is sent again. On a thread in no record
 * nothing is known: what a module has broken may show anywhere.
 */
static void
on_fatal(int number, siginfo_t *info, void *context)
{
	struct ledger_page *page = guilty_page();

	(void)context;
	if (page)
		absolve_others(page);
	for (size_t i = 0; i < FATAL; i++)
		if (fatal[i] == number)
			(void)sigaction(number, &before[i], NULL);
	if (info->si_code <= 0)
		(void)raise(number);
}

static void
watch_ends(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_fatal;
	action.sa_flags = SA_SIGINFO | SA_NODEFER;
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < FATAL; i++)
		(void)sigaction(fatal[i], &action, &before[i]);
	(void)atexit(refuse_exit);
}

/* ---- Files --------------------------------------------------------------- */

/* Distinct per store; what a name is made of stays unsaid (it may be secret).
 */
static uint64_t
hash(const char *text)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211ULL;
	return h;
}

/* Empty when the system does not say: then all boots are alike. */
static void
read_boot(char out[static sizeof(((struct ledger_page *)0)->boot)])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, 36);

	memset(out + (n > 0 ? n : 0), 0,
	       sizeof(((struct ledger_page *)0)->boot) -
		       (size_t)(n > 0 ? n : 0));
	if (fd >= 0)
		(void)close(fd);
}

enum slot { SLOT_OURS, SLOT_BUSY, SLOT_FAILED };

/*
 * Locks the file and maps it. Allocated first: storing into a page that the
 * disk has no room for would be a SIGBUS.
 */
static enum slot
take_slot(const char *path, int *ret_fd, struct ledger_page **ret_page,
	  struct pj_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *page;
	int rc;

	if (fd < 0) {
		(void)pj_error_set(err, PJ_ERROR_CONFIG,
				   "projector.state_dir: %s: %s", path,
				   strerror(errno));
		return SLOT_FAILED;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		(void)close(fd);
		return SLOT_BUSY;
	}
	rc = posix_fallocate(fd, 0, PAGE_BYTES);
	page = rc ? MAP_FAILED
		  : mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	if (page == MAP_FAILED) {
		(void)pj_error_set(err, PJ_ERROR_FATAL,
				   "projector.state_dir: %s: %s", path,
				   strerror(rc ? rc : errno));
		(void)close(fd);
		return SLOT_FAILED;
	}
	*ret_fd = fd;
	*ret_page = page;
	return SLOT_OURS;
}

static void
leave_slot(int fd, struct ledger_page *page)
{
	(void)munmap(page, PAGE_BYTES);
	(void)close(fd); /* and the lock with it */
}

static bool
is_unfinished(const struct ledger_page *page, const char *boot)
{
	return memcmp(page->magic, MAGIC, sizeof(MAGIC)) == 0 &&
	       memcmp(page->boot, boot, sizeof(page->boot)) == 0 &&
	       (atomic_load(&page->seq) & 1) && !atomic_load(&page->chosen) &&
	       page->topic[0] && memchr(page->topic, 0, sizeof(page->topic)) &&
	       page->step <= STEP_FOLD && page->lane < LANES_MAX &&
	       page->partition >= 0 && page->offset >= 0;
}

static void
begin_page(struct ledger_page *page, const char *boot)
{
	memset(page, 0, PAGE_BYTES);
	memcpy(page->magic, MAGIC, sizeof(MAGIC));
	memcpy(page->boot, boot, sizeof(page->boot));
	page->pid = getpid();
	page->started_at_ms = clock_wall_ms();
}

static void
keep_found(struct ledger *led, size_t *cap, int fd, struct ledger_page *page)
{
	struct ledger_found *f;

	MEM_GROW(led->found, led->n_found, *cap);
	f = &led->found[led->n_found++];
	f->page = page;
	f->fd = fd;
	entry_of(page, &f->entry);
}

/* Looks at all numbers: the lowest free one is ours, the unfinished are kept.
 */
static int
take_slots(struct ledger *led, const char *prefix, struct pj_error *err)
{
	char boot[sizeof(led->page->boot)];
	size_t cap = 0;

	read_boot(boot);
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		char *path = mem_printf("%s-%u", prefix, i);
		struct ledger_page *page;
		enum slot slot = SLOT_BUSY;
		int fd;

		/* Behind ours only to find what was left. */
		if (!led->page || access(path, F_OK) == 0)
			slot = take_slot(path, &fd, &page, err);
		free(path);
		if (slot == SLOT_FAILED)
			return -1;
		if (slot == SLOT_BUSY)
			continue;
		if (is_unfinished(page, boot)) {
			keep_found(led, &cap, fd, page);
		} else if (!led->page) {
			begin_page(page, boot);
			led->page = page;
			led->fd = fd;
		} else {
			leave_slot(fd, page);
		}
	}
	return led->page ? 0
			 : pj_error_set(err, PJ_ERROR_CONFIG,
					"projector.state_dir: %s-*: all %d "
					"ledgers are in use",
					prefix, LEDGER_SLOTS);
}

int
ledger_open(const char *dir, const char *store, struct ledger **ret_led,
	    struct pj_error *err)
{
	struct ledger *led;
	char *prefix;
	int rc = dir_make(dir);

	if (rc)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "projector.state_dir: %s cannot be made: "
				    "%s",
				    dir, strerror(rc));
	(void)pthread_once(&ends, watch_ends);
	led = mem_calloc(1, sizeof(*led));
	prefix = mem_printf("%s/ledger-%016" PRIx64, dir, hash(store));
	rc = take_slots(led, prefix, err);
	if (rc == 0 && register_page(led->page))
		rc = pj_error_set(err, PJ_ERROR_FATAL,
				  "more than %d ledgers in one process",
				  LEDGERS_OPEN_MAX);
	free(prefix);
	if (rc) {
		ledger_close(led);
		return -1;
	}
	*ret_led = led;
	return 0;
}

void
ledger_close(struct ledger *led)
{
	if (!led)
		return;
	while (led->n_found) {
		led->n_found--;
		leave_slot(led->found[led->n_found].fd,
			   led->found[led->n_found].page);
	}
	free(led->found);
	if (led->page) {
		ledger_end(led);
		unregister_page(led->page);
		leave_slot(led->fd, led->page);
	}
	free(led);
}

const struct ledger_entry *
ledger_found(const struct ledger *led, size_t i)
{
	return i < led->n_found ? &led->found[i].entry : NULL;
}

void
ledger_forget(struct ledger *led)
{
	struct ledger_found first = led->found[0];

	/* Kept by the kernel from here on, whatever becomes of us. */
	atomic_store(&first.page->seq, 0);
	leave_slot(first.fd, first.page);
	led->n_found--;
	memmove(led->found, led->found + 1, led->n_found * sizeof(first));
}

bool
ledger_read(const struct ledger *led, uint64_t seq,
	    struct ledger_entry *ret_entry)
{
	if (!(seq & 1) || ledger_seq(led) != seq)
		return false;
	entry_of(led->page, ret_entry);
	return ledger_seq(led) == seq;
}

void
ledger_lanes(struct ledger *led, const struct lanes *lanes)
{
	if (!led)
		return;
	ledger_end(led);
	led->part = NULL;
	for (unsigned i = 0; i < lanes->n; i++)
		memcpy(led->page->lanes[i], lanes->lane[i].generation,
		       sizeof(led->page->lanes[i]));
}
