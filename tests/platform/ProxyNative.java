import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.util.Properties;

/**
 * pgjdbc, for proxy_native_test.py: prints what it got.
 *
 * ProxyNative.java ENDPOINT PORT CA CERT KEY PASSWORD, whose key is in DER. It connects to an address, so that it sends no name
 * and its options say where to.
 */
class ProxyNative {
	public static void main(String[] words) throws Exception {
		Properties p = new Properties();
		p.setProperty("user", "somebody");
		p.setProperty("password", words[5]);
		p.setProperty("sslmode", "verify-ca");
		p.setProperty("sslrootcert", words[2]);
		p.setProperty("sslcert", words[3]);
		p.setProperty("sslkey", words[4]);
		p.setProperty("options", "-c geqo=off endpoint=" + words[0]);
		try (Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + words[1] + "/things", p);
				ResultSet got = c.createStatement().executeQuery("select current_user || current_setting('geqo')")) {
			got.next();
			System.out.println(got.getString(1));
		}
	}
}
