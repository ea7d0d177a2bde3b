/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A projection module as the host holds it: found, checked, given its options.
 *
 * Modules are trusted code. They come from one directory, are opened with
 * RTLD_NOW | RTLD_LOCAL and never unloaded. A refusal is one line that names
 * file, field, what was expected and what was found.
 *
 * Ownership: module_free() frees; the descriptor stays mapped for good.
 * Errors: CONFIG, unless said otherwise.
 */
#ifndef PROJECTOR_MODULE_H
#define PROJECTOR_MODULE_H

#include <projector/projection.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/settings.h"

struct module {
	const struct pj_projection *desc; /* a full-size copy, tail zeroed */
	struct pj_options options;
	int64_t *option_values;
	struct pj_projection copy;
};

/* The directory to look in: the setting, else beside the program, else LIBDIR.
 * free() it. */
char *
module_dir(const char *setting);

/* Names of the modules in a directory, ascending; free each and the array. */
int
module_names(const char *dir, char ***ret_names, size_t *ret_n,
	     struct pj_error *err) __attribute__((warn_unused_result));

/*
 * Opens DIR/NAME.so and checks it. Options come from the section (NULL = all
 * defaults).
 */
int
module_load(const char *dir, const char *name,
	    const struct settings_projection *section,
	    struct module **ret_module, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * STOP when another file of the directory claims DIR/NAME.so's name, too (a
 * copy that was left there): nobody could tell which of them made a document.
 */
int
module_check_claims(const char *dir, const char *name, struct pj_error *err)
	__attribute__((warn_unused_result));

/* The same checks for a descriptor that is linked in; `file` names it. */
int
module_adopt(const struct pj_projection *desc, const char *name,
	     const char *file, const struct settings_projection *section,
	     struct module **ret_module, struct pj_error *err)
	__attribute__((warn_unused_result));
void
module_free(struct module *mod);

/* The module's part of an event's topic, or NULL: not read, type not listed. */
const struct pj_reads *
module_reads(const struct module *mod, const struct pj_event *ev);

/*
 * True when the document key is the record key: PJ_KEYED_BY_RECORD, and no
 * option that splits the key is set.
 */
bool
module_is_keyed_by_record(const struct module *mod);

/* How many topics it reads. */
size_t
module_n_topics(const struct module *mod);

/* True when the module reads the topic at all. */
bool
module_reads_topic(const struct module *mod, const char *topic);

/*
 * A hash of all that decides what documents come out: sources, options, the
 * read topics' zone and format, the host's own helpers. 64 hex digits + NUL.
 */
void
module_code_hash(const struct module *mod, const struct settings *set,
		 char out[65]);

/* The description readers need (lib/readmodel.h: reader_json); free() it. */
char *
module_reader_json(const struct module *mod);

#endif
