/** Answers in messages of a size that drivers take. As shipped, whoever names no batch size gets all in one, however much. */

import de.bwaldvogel.mongo.backend.AbstractCursor;
import de.bwaldvogel.mongo.bson.Document;
import java.util.List;

/** What is left of an answer after its first message. */
final class Batches extends AbstractCursor {

    /** As MongoDB has it; drivers refuse messages above 48 MB. */
    static final long MOST_BYTES = 16L << 20;

    private List<Document> left;

    Batches(long id, List<Document> left) {
        super(id);
        this.left = left;
    }

    /** How many of these come in one message: at least one, no more than asked for where a number is asked for. */
    static int fitting(List<Document> documents, int asked) {
        int most = asked > 0 ? Math.min(asked, documents.size()) : documents.size();
        long bytes = 0;
        for (int count = 0; count < most; count++) {
            bytes += Stored.encoded(documents.get(count)).length;
            if (bytes > MOST_BYTES) {
                return Math.max(count, 1);
            }
        }
        return most;
    }

    @Override
    public boolean isEmpty() {
        return left.isEmpty();
    }

    @Override
    public List<Document> takeDocuments(int asked) {
        int count = fitting(left, asked);
        List<Document> taken = left.subList(0, count);
        left = left.subList(count, left.size());
        return taken;
    }
}
