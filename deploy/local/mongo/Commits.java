/** When what was written is on disk: before its writer is answered, and before anybody who read it is. */

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import org.h2.mvstore.MVStore;

/** One commit serves all writes that have ended before it. */
final class Commits {

    /** The exit status of a process that its supervisor must start anew. */
    private static final int UNMENDABLE = 70;
    private static final long TIDY_EVERY = 1_000_000_000L;
    private static final int FILL_PERCENT = 50;
    private static final int TIDY_BYTES = 4 << 20;

    /** Shared by writes, alone for a commit: a document and its index entries go to disk together, or kill -9 parts them. */
    private final ReadWriteLock whole = new ReentrantReadWriteLock(true);

    private final AtomicLong begun = new AtomicLong();
    private volatile long committed;
    private long tidied = System.nanoTime();
    private final MVStore store;
    private final Runnable commit;

    Commits(MVStore store, Runnable commit) {
        this.store = store;
        this.commit = commit;
    }

    /** What the write gives, once it is on disk. */
    <T> T written(Supplier<T> write) {
        long mine = 0;
        whole.readLock().lock();
        try {
            mine = begun.incrementAndGet();
            return write.get();
        } finally {
            whole.readLock().unlock();
            upTo(mine);
        }
    }

    /**
     * What the read gives, once all that it may have seen is on disk: it sees a write as soon as that has changed the maps,
     * and a kill before the commit takes the write back.
     */
    <T> T read(Supplier<T> read) {
        T found = read.get();
        upTo(begun.get());
        return found;
    }

    private void upTo(long write) {
        if (committed >= write) {
            return;
        }
        whole.writeLock().lock();
        try {
            if (committed < write) {
                long all = begun.get(); // each of them has ended, since whoever writes holds the other lock
                committing();
                committed = all;
            }
        } finally {
            whole.writeLock().unlock();
        }
    }

    /**
     * Commit, or end. After a failed commit, as on a full disk, H2's store is closed for good, and what it holds in
     * memory is more than what is on disk: only a new process can go on, from the last commit.
     */
    private void committing() {
        try {
            commit.run();
            tidy();
        } catch (RuntimeException failed) {
            System.err.println("cannot commit, so this ends: " + failed.getClass().getSimpleName());
            Runtime.getRuntime().halt(UNMENDABLE);
        }
    }

    /** Give back the space of what was overwritten: as shipped, the same thread does it that commits by itself. */
    private void tidy() {
        long now = System.nanoTime();
        if (now - tidied > TIDY_EVERY) {
            store.compact(FILL_PERCENT, TIDY_BYTES);
            tidied = System.nanoTime();
        }
    }
}
