/** A MongoDB-protocol server for one machine: mongo-java-server on an H2 file, every write committed before its reply. */

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.DocumentWithPosition;
import de.bwaldvogel.mongo.backend.EmptyIndex;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.QueryParameters;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.stream.Stream;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.type.DataType;
import org.h2.mvstore.type.LongDataType;

public final class LocalMongo extends H2Backend {

    /** As shipped, these are on disk only up to a second after the reply, and kill -9 loses them. */
    private static final Set<String> WRITES =
            Set.of("insert", "update", "delete", "findAndModify", "findandmodify", "createIndexes",
                    "dropIndexes", "create", "drop", "dropDatabase", "renameCollection");

    private static final Set<String> READS = Set.of("find", "getMore", "aggregate", "count", "distinct");

    private static final int PAGE_BYTES = 4 << 10;
    private static final int CACHE_MEGABYTES = 128;
    private static final int OTHER_FORM = 78;

    /** As shipped it reports a wire version that current drivers refuse. */
    private enum Current implements MongoVersion {
        FIVE;

        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }

    private final Commits commits;

    private LocalMongo(MVStore store) {
        super(store);
        commits = new Commits(store, this::commit);
        version(Current.FIVE);
    }

    @Override
    protected MongoDatabase openOrCreateDatabase(String name) {
        return new Database(name);
    }

    /** Opens each map with our types first: whoever opens it after that by its name alone gets it as it is. */
    private final class Database extends H2Database {

        private Database(String name) {
            super(name, getMvStore(), getCursorRegistry());
        }

        @Override
        protected MongoCollection<Object> openOrCreateCollection(String name, CollectionOptions options) {
            String full = getFullCollectionNamespace(name);
            MVMap<Long, byte[]> documents = opened("databases." + full, Stored.DOCUMENT);
            MVMap<String, Object> meta = getMvStore().openMap("meta." + full);
            return new Collection(this, name, options, documents, meta);
        }

        @Override
        protected Index<Object> openOrCreateUniqueIndex(String collection, String name, List<IndexKey> keys,
                boolean sparse) {
            String full = getFullCollectionNamespace(collection) + "._index_" + name;
            return new Places(opened(full, Stored.DIGESTS), name, keys, sparse);
        }

        /**
         * Sparse ones by one field are kept. Any other finds nothing, and documents are scanned; as shipped all are decoded
         * at each start, twice, to fill it.
         */
        @Override
        protected Index<Object> openOrCreateSecondaryIndex(String collection, String name, List<IndexKey> keys,
                boolean sparse) {
            if (sparse && keys.size() == 1) {
                return new Sorted(name, keys, getMvStore().openMap(getFullCollectionNamespace(collection) + "._index_" + name,
                        new MVMap.Builder<KeyValue, Boolean>().keyType(Sorted.KEY)));
            }
            return new EmptyIndex<>(name, keys) {
                @Override
                public boolean isEmpty() {
                    return false;
                }
            };
        }

        /** By place: documents, and what an index keeps of each. */
        private <V> MVMap<Long, V> opened(String name, DataType<V> type) {
            return getMvStore().openMap(name,
                    new MVMap.Builder<Long, V>().keyType(LongDataType.INSTANCE).valueType(type));
        }
    }

    /**
     * Documents in the order in which they came, as BSON until one is asked for. As shipped they lie by their `_id`, which
     * is random: a page for each; and with one of them all of its page are decoded, and encoded again.
     */
    private final class Collection extends H2Collection {

        private final MVMap<Long, byte[]> documents;
        private final List<Sorted> sorted = new ArrayList<>();

        /** Of the documents that the query at work has read: no less than its answer. */
        private long bytesRead;

        private Collection(MongoDatabase database, String name, CollectionOptions options,
                MVMap<Long, byte[]> documents, MVMap<String, Object> meta) {
            super(database, name, options, null, meta, getCursorRegistry());
            this.documents = documents;
        }

        /** Called by one thread at a time. The unique index on `_id` has refused one that is there already. */
        @Override
        protected Object addDocumentInternal(Document document) {
            Long place = documents.isEmpty() ? 1L : documents.lastKey() + 1;
            documents.put(place, Stored.encoded(document));
            return place;
        }

        @Override
        protected void handleUpdate(Object place, Document before, Document after) {
            documents.put((Long) place, Stored.encoded(after));
        }

        @Override
        protected void removeDocument(Object place) {
            byte[] bson = documents.remove(place);
            if (bson == null) {
                throw new NoSuchElementException("no document at " + place);
            }
            if (!sorted.isEmpty()) {
                Document gone = Stored.decoded(bson);
                sorted.forEach(index -> index.forget(gone, place));
            }
        }

        @Override
        public void addIndex(Index<Object> index) {
            super.addIndex(index);
            if (index instanceof Sorted && sorted.stream().noneMatch(each -> each.getName().equals(index.getName()))) {
                ((Sorted) index).filled();
                sorted.add((Sorted) index);
            }
        }

        @Override
        public void dropIndex(String name) {
            super.dropIndex(name);
            sorted.removeIf(index -> index.getName().equals(name));
        }

        @Override
        protected Document getDocument(Object place) {
            byte[] bson = documents.get(place);
            if (bson == null) {
                return null;
            }
            bytesRead += bson.length;
            return Stored.decoded(bson);
        }

        @Override
        public QueryResult handleQuery(QueryParameters asked) {
            synchronized (this) {
                bytesRead = 0;
                return super.handleQuery(asked);
            }
        }

        /** What is counted, changed, removed or aggregated goes through here too, without a batch size, and as a whole. */
        @Override
        protected QueryResult createQueryResult(List<Document> found, int asked) {
            boolean whole = asked == 0 || found.size() <= asked && bytesRead <= Batches.MOST_BYTES;
            int first = whole ? found.size() : Batches.fitting(found, asked);
            if (first == found.size()) {
                return new QueryResult(found);
            }
            Batches rest = new Batches(getCursorRegistry().generateCursorId(), found.subList(first, found.size()));
            getCursorRegistry().add(rest);
            return new QueryResult(found.subList(0, first), rest);
        }

        @Override
        public int count() {
            return documents.size();
        }

        @Override
        public boolean isEmpty() {
            return documents.isEmpty();
        }

        @Override
        protected Stream<DocumentWithPosition<Object>> streamAllDocumentsWithPosition() {
            return documents.entrySet().stream().map(each -> {
                bytesRead += each.getValue().length;
                return new DocumentWithPosition<>(Stored.decoded(each.getValue()), each.getKey());
            });
        }

        /** As shipped each document is encoded once more, and twice where it changes, for a size that nobody asks for. */
        @Override
        protected boolean tracksDataSize() {
            return false;
        }

        /** A scan, for what no index answers. */
        @Override
        protected QueryResult matchDocuments(Document query, Document order, int skip, int limit, int batch,
                Document projection) {
            Stream<DocumentWithPosition<Object>> all = streamAllDocumentsWithPosition();
            if (isNaturalDescending(order)) {
                all = all.sorted(Comparator.comparing(each -> -(Long) each.getPosition()));
            }
            Stream<Document> documents = all.map(DocumentWithPosition::getDocument);
            return matchDocumentsFromStream(documents, query, order, skip, limit, batch, projection);
        }
    }

    @Override
    public Document handleMessage(MongoMessage message) {
        String command = message.getDocument().keySet().iterator().next();
        if (command.equals("find")) {
            message.getDocument().putIfAbsent("batchSize", Integer.MAX_VALUE); // as many as fit into one message
        }
        if (WRITES.contains(command)) {
            return commits.written(() -> super.handleMessage(message));
        }
        return READS.contains(command) ? commits.read(() -> super.handleMessage(message)) : super.handleMessage(message);
    }

    /** A store that was written in another form would be misread. */
    private static void requireForm(MVStore store, Path file) {
        if (!store.getMapNames().isEmpty() && store.getStoreVersion() != Stored.FORM) {
            System.err.println(file + " was written by another version of the local store (form "
                    + store.getStoreVersion() + ", this one reads " + Stored.FORM + "): stop the stack, remove its home"
                    + " and start again, or take that version");
            System.exit(OTHER_FORM);
        }
        store.setStoreVersion(Stored.FORM);
    }

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]);
        int port = Integer.parseInt(arguments[1]);
        Files.createDirectories(file.toAbsolutePath().getParent());
        // As shipped it also commits by itself, each second and when enough has gathered: in the middle of a write.
        MVStore store = new MVStore.Builder()
                .fileName(file.toString())
                .autoCommitDisabled()
                .autoCommitBufferSize(0)
                // A document that changes dirties the page of those that came with it: a small one is written sooner.
                .pageSplitSize(PAGE_BYTES)
                .cacheSize(CACHE_MEGABYTES)
                .open();
        requireForm(store, file);
        store.setRetentionTime(0); // otherwise single inserts make the file grow by gigabytes
        MongoServer server = new MongoServer(new LocalMongo(store));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
        server.bind("127.0.0.1", port);
        System.err.println("listening on 127.0.0.1:" + port);
    }
}
