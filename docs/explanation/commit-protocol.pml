/* The commit protocol of sentinel and workers: one job, two workers, a network that loses, repeats and reorders.
 *
 *   spin -a commit-protocol.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan -m1000000
 *   spin -DMUTANT_STALE_PERMIT -a commit-protocol.pml ...     each mutant breaks a law
 *
 * The network is a set: what was sent stays, and may arrive at any time, any number of times, or never. So a message
 * is a bit, that of its attempt. Clocks are not modelled: a lease may run out whenever it likes, and so may a fence.
 */

#define ATTEMPTS 3
#define WORKERS 2

#define QUEUED 0
#define RUNNING 1
#define COMMITTING 2
#define COMPLETED 3
#define FAILED 4
#define ABORTED 5
#define MAY_STOP (state == QUEUED || state == RUNNING)

#define IDLE 0
#define PARSING 1
#define SEALED 2
#define PERMITTED 3
#define PROMOTED 4

#define BIT(a) (1 << (a))
#define HAS(set, a) ((set) & BIT(a))

/* What the sentinel's database holds: this survives a restart, and nothing else of the sentinel is needed. */
byte state = QUEUED;
byte attempt = 0;
bool cancelled = false;

/* What is visible in the sink: the attempts whose log entry was written. Writing one again changes nothing. */
byte visible = 0;

/* The network: one bit for each attempt. */
byte order_sent[WORKERS];
byte seal_sent = 0;
byte permit_sent = 0;
byte refusal_sent = 0;
byte conclude_sent = 0;
byte failure_sent = 0;

#ifdef MUTANT_STALE_PERMIT
#define IS_CURRENT true
#else
#define IS_CURRENT (said == attempt)
#endif

/* The laws. */
#define AT_MOST_ONE (visible == 0 || visible == 2 || visible == 4 || visible == 8)
#define NOTHING_OF_THE_STOPPED (!(state == FAILED || state == ABORTED) || visible == 0)
#define COMPLETED_IS_THERE (state != COMPLETED || visible == BIT(attempt))
#define LAWS assert(AT_MOST_ONE && NOTHING_OF_THE_STOPPED && COMPLETED_IS_THERE)

/* A message arrives: the attempt of one that was sent. */
inline arrive(named, sent)
{
    if
    :: HAS(sent, 1) -> named = 1
    :: HAS(sent, 2) -> named = 2
    :: HAS(sent, 3) -> named = 3
    fi
}

proctype sentinel()
{
    byte said = 0;
end:
    do
    /* Claim and dispatch: a new attempt, for either worker. */
    :: atomic { state == QUEUED && !cancelled && attempt < ATTEMPTS ->
           attempt++; state = RUNNING;
           if
           :: order_sent[0] = order_sent[0] | BIT(attempt)
           :: order_sent[1] = order_sent[1] | BIT(attempt)
           fi }

    /* A seal arrives: the permit is one guarded update; what is not permitted is refused. */
    :: atomic { seal_sent ->
           arrive(said, seal_sent);
           if
           :: state == RUNNING && !cancelled && IS_CURRENT -> state = COMMITTING; permit_sent = permit_sent | BIT(said)
           :: state == COMMITTING && IS_CURRENT -> permit_sent = permit_sent | BIT(said)
           :: else -> refusal_sent = refusal_sent | BIT(said)
           fi; said = 0; LAWS }

    /* A worker says that it promoted. */
    :: atomic { conclude_sent ->
           arrive(said, conclude_sent);
           if
           :: state == COMMITTING && said == attempt -> state = COMPLETED
           :: else -> skip
           fi; said = 0; LAWS }

    /* A worker says that its attempt failed; once it has a permit, only that it could not promote yet. */
    :: atomic { failure_sent ->
           arrive(said, failure_sent);
           if
#ifdef MUTANT_FAIL_PERMITTED
           :: (state == RUNNING || state == COMMITTING) && said == attempt ->
#else
           :: state == RUNNING && said == attempt ->
#endif
               if
               :: attempt < ATTEMPTS -> state = QUEUED
               :: state = FAILED
               fi
           :: else -> skip
           fi; said = 0; LAWS }

    /* The lease runs out, or the worker is said to be gone. */
#ifdef MUTANT_REQUEUE_PERMITTED
    :: atomic { (state == RUNNING || state == COMMITTING) && attempt < ATTEMPTS -> state = QUEUED }
#else
    :: atomic { state == RUNNING && attempt < ATTEMPTS -> state = QUEUED }
#endif
    :: atomic { state == RUNNING && attempt == ATTEMPTS -> state = FAILED; LAWS }

    /* A person cancels. The answer says "too late" once the job commits. */
    :: atomic { MAY_STOP && !cancelled -> cancelled = true }
#ifdef MUTANT_CANCEL_PERMITTED
    :: atomic { state == COMMITTING && !cancelled -> cancelled = true; state = ABORTED; LAWS }
#endif
    /* The worker stopped, or its lease is over and it is fenced: nobody need ask which. */
    :: atomic { MAY_STOP && cancelled -> state = ABORTED; LAWS }

    /* A restart: what was permitted rolls forward, from what the database holds. */
    :: atomic { state == COMMITTING ->
           visible = visible | BIT(attempt); state = COMPLETED; LAWS }
    od
}

proctype worker(byte me)
{
    byte mine = 0;
    byte phase = IDLE;
end:
    do
    /* An order arrives, perhaps late, perhaps for the second time when the first is forgotten. */
    :: atomic { phase == IDLE && order_sent[me] ->
           arrive(mine, order_sent[me]); phase = PARSING }

    :: atomic { phase == PARSING -> phase = SEALED }
    :: atomic { phase == PARSING || phase == PERMITTED ->
           failure_sent = failure_sent | BIT(mine); phase = IDLE; mine = 0 }
#ifdef MUTANT_PROMOTE_FIRST
    :: atomic { phase == SEALED -> phase = PERMITTED }
#endif
    :: atomic { phase == SEALED && !HAS(seal_sent, mine) -> seal_sent = seal_sent | BIT(mine) }
    :: atomic { phase == SEALED && HAS(permit_sent, mine) -> phase = PERMITTED }
    :: atomic { phase == SEALED && HAS(refusal_sent, mine) -> phase = IDLE; mine = 0 }

    /* From here until the entry is written the worker may sleep for days. */
    :: atomic { phase == PERMITTED -> visible = visible | BIT(mine); phase = PROMOTED; LAWS }
    :: atomic { phase == PROMOTED -> conclude_sent = conclude_sent | BIT(mine); phase = IDLE; mine = 0 }

    /* It crashes, or fences itself: what it had in hand is forgotten. */
    :: atomic { phase != IDLE -> phase = IDLE; mine = 0 }
    od
}

init
{
    atomic { run sentinel(); run worker(0); run worker(1) }
}
