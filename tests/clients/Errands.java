/* The errands of JDBC through a gateway: a line of JSON for each. Where to go stands in libpq's variables. */

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

public class Errands {
  public static void main(String[] words) throws Exception {
    Connection connection = connect();
    tell("version", "JDBC " + org.postgresql.util.DriverInfo.DRIVER_VERSION + ", Java " + Runtime.version().feature());
    if (words[0].equals("errands")) {
      tell("parameters", parameters(connection));
      tell("binary", binary(connection));
      tell("prepared", prepared(connection));
      tell("batch", batch(connection));
      tell("copy", copy(connection));
      tell("cursor", cursor(connection));
      tell("error", error(connection));
      tell("notice", notice(connection));
      tell("notification", notification(connection));
      tell("large", large(connection));
      tell("cancel", cancel(connection));
    }
    await(connection);
    System.exit(0);
  }

  static Connection connect() throws SQLException {
    Properties settings = new Properties();
    settings.setProperty("user", System.getenv("PGUSER"));
    settings.setProperty("password", System.getenv("PGPASSWORD"));
    settings.setProperty("sslmode", System.getenv("PGSSLMODE"));
    if (System.getenv("PGSSLROOTCERT") != null) settings.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
    settings.setProperty("prepareThreshold", "1");
    String place = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
    return DriverManager.getConnection("jdbc:postgresql://" + place, settings);
  }

  static Object parameters(Connection connection) throws SQLException {
    try (PreparedStatement asking = connection.prepareStatement("select ?::int + 1, ?::text, ?::text")) {
      asking.setInt(1, 41);
      asking.setString(2, "é");
      asking.setString(3, null);
      ResultSet found = first(asking.executeQuery());
      return Arrays.asList(found.getInt(1), found.getString(2), found.getString(3));
    }
  }

  /** From the second execution on, what has a binary form comes in it. */
  static Object binary(Connection connection) throws SQLException {
    String text = "select ?::int8, 1.50::numeric, '\\x00ff'::bytea, '{1,2}'::int[]";
    try (PreparedStatement asking = connection.prepareStatement(text)) {
      asking.setLong(1, 7);
      asking.executeQuery().close();
      asking.executeQuery().close();
      ResultSet found = first(asking.executeQuery());
      List<Object> array = Arrays.asList((Object[]) found.getArray(4).getArray());
      String blob = HexFormat.of().formatHex(found.getBytes(3));
      return Arrays.asList(found.getLong(1), found.getBigDecimal(2).toPlainString(), blob, array);
    }
  }

  static Object prepared(Connection connection) throws SQLException {
    int sum = 0;
    try (PreparedStatement asking = connection.prepareStatement("select ?::int * 2")) {
      for (int n = 0; n < 10; n++) {
        asking.setInt(1, n);
        sum += first(asking.executeQuery()).getInt(1);
      }
      return Arrays.asList(sum, one(connection, "select count(*) > 0 from pg_prepared_statements"));
    }
  }

  static Object batch(Connection connection) throws SQLException {
    run(connection, "create temp table batch (a int)");
    try (PreparedStatement putting = connection.prepareStatement("insert into batch values (?)")) {
      for (int n = 0; n < 500; n++) {
        putting.setInt(1, n);
        putting.addBatch();
      }
      putting.executeBatch();
    }
    return one(connection, "select count(*)::int from batch");
  }

  static Object copy(Connection connection) throws Exception {
    run(connection, "create temp table copied (a int, b text)");
    var copying = connection.unwrap(PGConnection.class).getCopyAPI();
    String rows = IntStream.range(0, 10_000).mapToObj(n -> n + "\trow " + n + "\n").collect(Collectors.joining());
    copying.copyIn("copy copied from stdin", new StringReader(rows));
    StringWriter read = new StringWriter();
    copying.copyOut("copy copied to stdout", read);
    return read.toString().lines().count();
  }

  static Object cursor(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    int count = 0;
    try (Statement asking = connection.createStatement()) {
      asking.setFetchSize(100);
      ResultSet rows = asking.executeQuery("select generate_series(1, 1000)");
      while (rows.next()) count++;
    }
    connection.commit();
    connection.setAutoCommit(true);
    return count;
  }

  static Object error(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    String first = refusal(() -> run(connection, "select 1 / (random() * 0)::int"));
    String second = refusal(() -> run(connection, "select 1"));
    connection.rollback();
    connection.setAutoCommit(true);
    return Arrays.asList(first, second, one(connection, "select 1"));
  }

  static Object notice(Connection connection) throws SQLException {
    try (Statement saying = connection.createStatement()) {
      saying.execute("do $$ begin raise notice 'high water'; end $$");
      return saying.getWarnings().getMessage();
    }
  }

  static Object notification(Connection connection) throws SQLException {
    run(connection, "listen tide");
    run(connection, "notify tide, 'out'");
    PGNotification heard = connection.unwrap(PGConnection.class).getNotifications(30_000)[0];
    return Arrays.asList(heard.getName(), heard.getParameter());
  }

  static Object large(Connection connection) throws SQLException {
    return ((String) one(connection, "select repeat('x', 20000000)")).length();
  }

  static Object cancel(Connection connection) throws Exception {
    try (Statement sleeping = connection.createStatement()) {
      Thread canceller = new Thread(() -> {
        try {
          System.in.read();
          sleeping.cancel();
        } catch (Exception ignored) {
          // Whoever waits for the cancelling finds out.
        }
      });
      canceller.start();
      tell("asleep", null);
      String refused = refusal(() -> sleeping.execute("select pg_sleep(600)"));
      canceller.join();
      return Arrays.asList(refused, one(connection, "select 1"));
    }
  }

  /** One session runs a statement, and one is idle, when access ends. */
  static void await(Connection connection) throws SQLException {
    Connection idle = connect();
    tell("waiting", null);
    try {
      run(connection, "select pg_sleep(600)");
    } catch (SQLException refused) {
      tell("ended", Arrays.asList(refused.getSQLState(), refused.getMessage()));
    }
    try {
      run(idle, "select 1");
    } catch (SQLException refused) {
      tell("idle", Arrays.asList(refused.getSQLState(), refused.getMessage()));
    }
    try {
      connect();
    } catch (SQLException refused) {
      tell("again", refused.getMessage());
    }
  }

  interface Work {
    void run() throws SQLException;
  }

  static String refusal(Work work) {
    try {
      work.run();
    } catch (SQLException refused) {
      return refused.getSQLState();
    }
    return "nothing was refused";
  }

  static void run(Connection connection, String text) throws SQLException {
    try (Statement saying = connection.createStatement()) {
      saying.execute(text);
    }
  }

  static Object one(Connection connection, String text) throws SQLException {
    try (Statement asking = connection.createStatement()) {
      return first(asking.executeQuery(text)).getObject(1);
    }
  }

  static ResultSet first(ResultSet found) throws SQLException {
    found.next();
    return found;
  }

  static void tell(String errand, Object value) {
    System.out.println("{\"errand\":" + json(errand) + ",\"value\":" + json(value) + "}");
    System.out.flush();
  }

  static String json(Object value) {
    if (value instanceof List<?> list) return "[" + list.stream().map(Errands::json).collect(Collectors.joining(",")) + "]";
    if (!(value instanceof String text)) return String.valueOf(value);
    String escaped = text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\t", "\\t");
    return "\"" + escaped + "\"";
  }
}
