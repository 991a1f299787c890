import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;

/** pgjdbc, for proxy_native_test.py: Postgres HOST PORT PASSWORD. */
public final class Postgres {
	public static void main(String[] arguments) throws Exception {
		String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/postgres?user=rig&sslmode=require&password=" + arguments[2];
		int sum = 0;

		try (Connection c = DriverManager.getConnection(url);
				PreparedStatement one = c.prepareStatement("select ?::int + 1");
				PreparedStatement many = c.prepareStatement("select generate_series(1, 1000)")) {
			one.setInt(1, 41);
			ResultSet n = one.executeQuery(), rows = many.executeQuery();
			n.next();
			while (rows.next()) {
				sum += rows.getInt(1);
			}
			System.out.println(n.getInt(1) + " " + sum);
		}
	}
}
