/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A piece of work for the workers, embedded in what it is about.
 */
#ifndef QUERYAPI_JOB_H
#define QUERYAPI_JOB_H

struct worker;

struct job {
	/* On a worker, which gives the job away with the call. */
	void (*run)(struct job *job, struct worker *wrk);
};

#endif
