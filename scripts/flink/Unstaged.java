/** Starts Beam's job server so that it sends no jars with a job: the cluster has the same ones on its own class path. */
public class Unstaged {
  public static void main(String[] arguments) throws Exception {
    System.setProperty("java.class.path", ""); // where Beam looks for them
    org.apache.beam.runners.flink.FlinkJobServerDriver.main(arguments);
  }
}
