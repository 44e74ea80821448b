/** A MongoDB-protocol server for one machine: mongo-java-server on an H2 file, every write committed before its reply. */

import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.h2.mvstore.MVStore;

public final class LocalMongo extends H2Backend {

    /** As shipped, these are on disk only up to a second after the reply, and kill -9 loses them. */
    private static final Set<String> WRITES =
            Set.of("insert", "update", "delete", "findAndModify", "findandmodify", "createIndexes",
                    "dropIndexes", "create", "drop", "dropDatabase", "renameCollection");

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

    private LocalMongo(MVStore store) {
        super(store);
        version(Current.FIVE);
    }

    @Override
    public Document handleMessage(MongoMessage message) {
        Document reply = super.handleMessage(message);
        if (WRITES.contains(message.getDocument().keySet().iterator().next())) {
            commit();
        }
        return reply;
    }

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]);
        int port = Integer.parseInt(arguments[1]);
        Files.createDirectories(file.toAbsolutePath().getParent());
        MVStore store = new MVStore.Builder().fileName(file.toString()).open();
        store.setRetentionTime(0); // otherwise single inserts make the file grow by gigabytes
        MongoServer server = new MongoServer(new LocalMongo(store));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
        server.bind("127.0.0.1", port);
        System.err.println("listening on 127.0.0.1:" + port);
    }
}
