/** The hop in Kafka Streams: consume, parse, choose one of the topics by the fact's kind, produce; at least once. */

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import safeguarding.v1.IntakeOuterClass.IntakeFact;

public final class Hop {

    private Hop() {
    }

    public static void main(String[] arguments) throws Exception {
        JsonNode told = new ObjectMapper().readTree(System.in);
        String[] sinks = new String[told.get("sinks").size()];
        for (int number = 0; number < sinks.length; number++) {
            sinks[number] = told.get("sinks").get(number).asText();
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(told.get("source").asText(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .to((key, value, context) -> sinks[chosen(value) % sinks.length],
                        Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(told));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static int chosen(byte[] value) {
        try {
            return IntakeFact.parseFrom(value).getRaised().getKindsValue(0);
        } catch (com.google.protobuf.InvalidProtocolBufferException error) {
            throw new IllegalArgumentException(error);
        }
    }

    private static Properties settings(JsonNode told) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, told.get("group").asText());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, told.get("servers").asText());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, told.get("folder").asText());
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG), true);
        settings.put("security.protocol", "SASL_PLAINTEXT");
        settings.put("sasl.mechanism", "SCRAM-SHA-256");
        settings.put("sasl.jaas.config", String.format(
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";",
                told.get("username").asText(), told.get("password").asText()));
        return settings;
    }
}
